"""Hashes against DVC's own code, the DAG's text and the ledger against examples worked by hand."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.base.dvc_hashes import md5_of, md5_of_tree
from pricetrail.base.errors import DataError, LineageError, SourceError
from pricetrail.lineage import ledger
from pricetrail.lineage.dvc_yaml import Plan, before, lookup, parse_pipeline
from pricetrail.lineage.ledger import Run
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.record import stage_records
from pricetrail.model.prediction_id import LineageId

HASHES = st.text("0123456789abcdef", min_size=32, max_size=32)
NAMES = st.lists(st.text("abZ0.é-_ ", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@given(st.dictionaries(NAMES, HASHES, max_size=8))
def test_a_folder_has_the_hash_that_dvc_gives_it(files: dict[str, str]) -> None:
    tree = Tree()
    for name, value in files.items():
        tree.add(tuple(name.split("/")), None, HashInfo("md5", value))
    tree.digest()
    assert md5_of_tree(files) == tree.oid


def test_files_and_folders_are_hashed_from_their_bytes(tmp_path: Path) -> None:
    big = bytes(range(256)) * 5000  # more than one chunk
    for name, content in {"a/b.bin": big, "a/c/d.txt": b"d", "a/c/__pycache__/d.pyc": b"x", "a/e.pyc": b"y"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert md5_of(tmp_path / "a/b.bin") == md5(big)
    assert md5_of(tmp_path / "a") == md5_of_tree({"b.bin": md5(big), "c/d.txt": md5(b"d")})
    with pytest.raises(SourceError, match="must be readable"):
        md5_of(tmp_path / "nothing")


DAG = """
vars:
  - run: python  -m
stages:
  late:
    cmd: ${run} late
    deps: [out/b.txt, record.json]
    outs: [page.html]
  record:
    cmd: ${run} record
    deps: [out]
    outs: [record.json: {cache: false}]
  second:
    cmd: ${run} second
    deps: [out/a.txt]
    params: [fit.rate]
    metrics: [second.json: {cache: false}]
    plots: [plot.csv]
  first:
    cmd: >-
      ${run}
      first
    deps: ['${data.path}']
    outs: [out]
"""


def test_the_dag_is_read_as_it_is_written_and_ordered_as_it_runs() -> None:
    plans = parse_pipeline(DAG, {"data": {"path": "raw"}})
    assert plans[3] == Plan("first", "python -m first", ("raw",), (), ("out",))
    assert plans[2] == Plan("second", "python -m second", ("out/a.txt",), ("fit.rate",), ("second.json", "plot.csv"))
    assert [plan.name for plan in before(plans, "record")] == ["first", "second"]
    assert [plan.name for plan in before(plans, "late")] == ["first", "record", "second"]
    moved = "stages: {a: {cmd: a, wdir: .., deps: [x/y], outs: [demo/z]}}"
    assert parse_pipeline(moved, {}, "demo/dvc.yaml") == (Plan("a", "a", ("x/y",), (), ("demo/z",)),)
    assert parse_pipeline(moved.replace("wdir: .., ", ""), {}, "demo/dvc.yaml")[0].deps == ("demo/x/y",)


@pytest.mark.parametrize("text", ["", "a: [", "stages: {a: {}}", "stages: {a: {cmd: '${no.thing}'}}", "dvc.yaml"])
def test_what_is_no_dag_is_told_in_one_line(text: str) -> None:
    with pytest.raises(DataError, match=r"^(dvc|params)\.yaml: must "):
        parse_pipeline(text, {})


def test_records_hold_what_lies_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for name, content in {"raw/x.csv": b"x", "code.py": b"c", "out.txt": b"o"}.items():
        (tmp_path / name).write_bytes(content)
    plan = Plan("fit", "do fit", ("raw", "code.py"), ("fit.rate",), ("out.txt",))
    maker = Plan("make", "do make", ("code.py",), (), ("raw", "truth"))
    params = {"fit": {"rate": 0.5}}
    folder = md5_of_tree({"x.csv": md5(b"x")})
    fit = StageRecord("fit", "do fit", {"raw": folder, "code.py": md5(b"c")}, {"fit.rate": 0.5}, {"out.txt": md5(b"o")})
    demo = StageRecord("make", "do make", {"code.py": md5(b"c")}, {}, {"raw": folder})
    assert stage_records([plan], [maker], "raw", params) == (demo, fit)
    assert stage_records([plan], [], "raw", params) == (StageRecord("raw.dvc", "", {}, {}, {"raw": folder}), fit)
    with pytest.raises(DataError, match=r"must have fit\.rate"):
        stage_records([plan], [], "raw", {})
    with pytest.raises(DataError, match=r"must have a\.b\.c"):
        lookup({"a": {"b": 1}}, "a.b.c")


STAGE = StageRecord("a", "make a", {"b": "0c"}, {"k": [1, 2.5]}, {"c": "0d"})
TEXT = '[{"cmd":"make a","deps":{"b":"0c"},"name":"a","outs":{"c":"0d"},"params":{"k":[1,2.5]}}]'


def run(name: str) -> Run:
    return Run(name, "b" * 64, "withheld", ("2010-12-01", "2011-01-02"), 7, {})


def test_a_run_is_named_by_its_canonical_text() -> None:
    assert ledger.run_id([STAGE]) == hashlib.sha256(TEXT.encode()).hexdigest()[:12]


def test_an_entry_holds_every_figure_dial_and_hash() -> None:
    made = ledger.run_of(
        [STAGE],
        "b" * 64,
        {"outcome": "withheld", "gates": []},
        {"days": ["2010-12-01", "2011-01-02"], "rows_kept": 7},
        {"test": {"mse": 0.5, "passed": False, "by": {"x": 1}, "list": [1]}, "gates/x": {"n": 2}},
        {"seed": 3, "drift": {"thresholds": {}, "columns": ["a"]}},
    )
    assert json.loads(json.dumps(asdict(made))) == {
        "run": ledger.run_id([STAGE]),
        "bundle": "b" * 64,
        "outcome": "withheld",
        "days": ["2010-12-01", "2011-01-02"],
        "rows": 7,
        "metrics": {"test.mse": 0.5, "test.by.x": 1, "gates/x.n": 2},
        "params": {"seed": 3, "drift.thresholds": {}, "drift.columns": ["a"]},
        "hashes": {"c": "0d"},
    }
    with pytest.raises(DataError, match="'outcome' is not there"):
        ledger.run_of([STAGE], "", {}, {}, {}, {})


@given(st.lists(st.sampled_from("abcdef"), max_size=12))
def test_a_ledger_keeps_each_run_once_by_first_time(runs: list[str]) -> None:
    text = ""
    for name in runs:
        grown = ledger.with_run(text, run(name), "l")
        assert grown.startswith(text), "what was written stays, byte for byte"
        text = grown
    assert [old.run for old in ledger.parse_ledger(text, "l")] == list(dict.fromkeys(runs))
    assert text.count("\n") == len(set(runs))


def test_a_last_line_without_its_end_is_not_run_into_the_next() -> None:
    text = ledger.with_run(json.dumps(asdict(run("a"))), run("b"), "l")
    assert [old.run for old in ledger.parse_ledger(text, "l")] == ["a", "b"]


def test_blank_lines_of_a_ledger_are_skipped() -> None:
    """A merge leaves some."""
    text = json.dumps(asdict(run("a"))) + "\n\n \n" + json.dumps(asdict(run("b"))) + "\n"
    assert [old.run for old in ledger.parse_ledger(text, "l")] == ["a", "b"]


@pytest.mark.parametrize("damage", ['{"run": "x"', "[]", "3", '{"run": 3, "bundle": "b"}', '{"run": "a"}'])
def test_a_damaged_ledger_is_told_by_its_line(damage: str) -> None:
    text = json.dumps(asdict(run("a"))) + "\n" + damage + "\n"
    with pytest.raises(
        DataError,
        match=r"^reports/runs\.jsonl: line 2: .*must be (JSON|whole).*; mend it, or take the file from git(, got .*)?$",
    ):
        ledger.with_run(text, run("b"), "reports/runs.jsonl")


@given(HASHES.map(lambda half: half + half), st.integers(0, 10**9))
def test_an_id_is_read_as_it_was_written(sha256: str, number: int) -> None:
    made = LineageId.of(sha256, number)
    assert LineageId.parse(str(made)) == made == LineageId(sha256[:12], number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0123456789ab",
        "0123456789ab-00042",
        "0123456789ab-0000042",
        "0123456789AB-000042",
        "g123456789ab-000042",
        "0123456789ab-000042\n",
        "0123456789ab-00004２",
    ],
)
def test_another_form_of_an_id_is_refused(text: str) -> None:
    assert not LineageId.fits(text)
    with pytest.raises(LineageError, match="12 hex digits, a dash and 6 or more digits"):
        LineageId.parse(text)
