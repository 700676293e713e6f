"""Laws of reading: a table of lines reads back as the same table, or is refused; never a third.

The oracles are the truth that a dialect's file was written from, and for a file with one thing wrong the lines that the
wrong thing did not touch.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pricetrail.base.errors import PricetrailError
from pricetrail.data.reading import read_shop
from pricetrail.stages import etl_pipeline
from support.dialect_reads import EQUAL, MISREAD, REFUSED, lines_of, outcome, params_of, proposed, trials
from support.dialects import DIMENSIONS, Dialect, right_settings, sample, tidy
from support.mutations import mutant
from support.said import unexplained
from support.trouble_files import TROUBLES

DIALECTS = st.builds(Dialect, **{name: st.sampled_from(values) for name, values in DIMENSIONS.items()}).map(tidy)


def misread(dialect: Dialect, wrong: int) -> list[str]:
    """What is neither the same table nor refused, and a refusal of a supported dialect with its right settings."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            f"{name} {settings}: {found.how}: {found.why}"
            for name, settings, found in trials(Path(folder) / "shop", dialect, wrong)
            if found.how == MISREAD or (name == "right" and dialect.is_supported and found.how != EQUAL)
        ]


@given(DIALECTS)
@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])  # to make it smaller takes a minute
def test_a_dialect_is_read_or_refused(dialect: Dialect) -> None:
    assert misread(dialect, wrong=1) == []


@pytest.mark.long
@given(DIALECTS)
@settings(max_examples=200)
def test_any_dialect_is_read_or_refused(dialect: Dialect) -> None:
    assert misread(dialect, wrong=4) == []


@pytest.mark.long
@pytest.mark.parametrize("dialect", sample(sum(map(len, DIMENSIONS.values())) - 2 * len(DIMENSIONS), 0), ids=str)
def test_each_way_by_itself_is_read(dialect: Dialect) -> None:
    assert misread(dialect, wrong=99) == []


@pytest.mark.parametrize("dialect", [Dialect(delimiter=";", decimal=",", dates="%d.%m.%Y %H:%M")], ids=str)
def test_init_finds_settings_that_read(tmp_path: Path, dialect: Dialect) -> None:
    assert proposed(tmp_path / "bare", dialect, told=False).how != MISREAD
    found = proposed(tmp_path / "told", dialect, told=True)
    assert found.how == EQUAL, found.why


@pytest.mark.long
@pytest.mark.parametrize("dialect", sample(160, 13)[70:], ids=str)
def test_init_reads_right_or_asks(tmp_path: Path, dialect: Dialect) -> None:
    assert proposed(tmp_path / "bare", dialect, told=False).how != MISREAD
    found = proposed(tmp_path / "told", dialect, told=True)
    assert found.how != MISREAD, found.why


def fate(folder: Path, seed: int) -> str:
    """What became of a mutant, or a refusal that does not tell its place, where it was one cell."""
    made = mutant(folder, seed)
    try:
        reading = read_shop(params_of(made.path, right_settings(made.base)))
    except PricetrailError as error:
        told = made.row is None or re.search(rf"(row |cell [A-Z]){made.row}\b", str(error))
        return "refused" if told else f"{seed}: {made.what}: {error}"
    wrong = "must be refused" if made.must_refuse else unexplained(lines_of(reading), made)
    bad = reading.parsed.quarantine["source_row"].tolist()
    wrong = wrong or ("" if made.row is None or not bad or bad == [made.row] else f"quarantined are rows {bad}")
    assert not wrong, f"{seed}: {made.base}: {made.what}: {wrong}"
    return "quarantined" if bad else "read"


def fates(folder: Path, seeds: range) -> Counter[str]:
    found = Counter[str]()
    for seed in seeds:
        (folder / str(seed)).mkdir()
        found[fate(folder / str(seed), seed)] += 1
    return found


def test_one_wrong_thing_is_told_or_harmless(tmp_path: Path) -> None:
    assert fates(tmp_path, range(40)).keys() == {"refused", "quarantined", "read"}


@pytest.mark.long
@pytest.mark.parametrize("first", range(40, 2040, 250))
def test_2000_wrong_things_are_told(tmp_path: Path, first: int) -> None:
    assert fates(tmp_path, range(first, first + 250)).keys() == {"refused", "quarantined", "read"}


def etl_leaves(folder: Path, seed: int) -> str:
    """Run the stage on a mutant in a folder of its own: how it ended, and hold what it left against that."""
    made = mutant(folder, seed)
    params = params_of(made.path, right_settings(made.base))
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(params.model_dump(mode="json"), file)
    try:
        etl_pipeline.main()
    except PricetrailError:
        assert not any((folder / name).exists() for name in ("data", "metrics")), made.what
        return "refused"
    assert (folder / "metrics/etl.json").exists()
    return "written"


@pytest.mark.parametrize(
    "seeds", [range(33, 39), pytest.param(range(200), marks=pytest.mark.long)], ids=["few", "many"]
)
def test_a_refused_file_leaves_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: range) -> None:
    ends = set()
    for seed in itertools.chain(seeds):
        (tmp_path / str(seed)).mkdir()
        monkeypatch.chdir(tmp_path / str(seed))
        ends.add(etl_leaves(tmp_path / str(seed), seed))
    assert ends == {"refused", "written"}


FEW = list(TROUBLES)[::12]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FEW else pytest.mark.long) for name in TROUBLES]
)
def test_a_reported_trouble_is_no_more(tmp_path: Path, name: str) -> None:
    (tmp_path / "shop").mkdir()
    true = TROUBLES[name](tmp_path / "shop")
    found = outcome(tmp_path / "shop", {"shop.preset": "generic", **true.settings}, list(true.lines))
    wanted = {"read": [EQUAL], "refuse": [REFUSED], "either": [EQUAL, REFUSED]}[true.must]
    assert found.how in wanted, f"{found.how}: {found.why}"
