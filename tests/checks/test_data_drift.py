"""Drift against SciPy's distances; no drift on equal windows; what cannot be computed has failed."""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import evidently
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from pricetrail.base.errors import ParamsError
from pricetrail.base.files import read_params, write_folder, write_text
from pricetrail.base.params_schema import Drift
from pricetrail.checks.data_drift import (
    CATEGORICAL_COLUMNS,
    LEFT_OUT,
    NUMERIC_COLUMNS,
    DriftReport,
    Windows,
    check_drift,
    find_windows,
    judged,
    missing_ratio,
    missing_share,
    require_columns,
)
from pricetrail.checks.drift_page import ASSETS, split_page, without_random_ids
from pricetrail.checks.results import ColumnDrift
from pricetrail.data.features import COUNT_FEATURES, DAY, FEATURE_UNITS, TARGET, TIME_FEATURES
from pricetrail.data.splits import Boundaries
from support.browser import CHROMIUM, tab
from support.hostile import TEXTS, Reader
from support.source_tree import ROOT

DIALS = read_params(ROOT / "params.yaml").drift.model_copy(
    update={
        "max_rows": 100_000,
        "numeric_threshold": 0.1,
        "categorical_threshold": 0.1,
        "missing_threshold": 0.05,
        "max_share": 0.3,
        "max_column_ratio": 1000.0,
        "thresholds": {},
    }
)
NAMES = [*NUMERIC_COLUMNS, *CATEGORICAL_COLUMNS]


def window(size: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(size, len(NUMERIC_COLUMNS))), columns=list(NUMERIC_COLUMNS))
    countries = rng.choice(["United Kingdom", "France"], size, p=[0.9, 0.1])
    table = table.assign(registered=rng.choice([0.0, 1.0], size, p=[0.25, 0.75]), country=countries)
    rows = np.arange(size)
    customers = np.where(table["registered"] > 0, np.char.add("1785", (rows % 9).astype(str)), None)
    return table.assign(customer_id=customers, invoice=rows.astype(str), sku=(22423 + rows % 7).astype(str))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def dials(**changes: object) -> Drift:
    return DIALS.model_copy(update=changes)


def column(report: DriftReport, name: str) -> ColumnDrift:
    return next(found for found in report.columns if found.column == name)


def test_every_input_is_checked_or_left_out_by_name() -> None:
    assert {*NAMES} | LEFT_OUT == {*FEATURE_UNITS, "country", TARGET}
    assert not {*NAMES} & LEFT_OUT
    assert {*TIME_FEATURES, *COUNT_FEATURES} <= LEFT_OUT


def test_figures_are_scipys_distances() -> None:
    reference, current = window(3000, 1), window(3000, 2)
    current = current.assign(log_unit_price=current["log_unit_price"] * 1.5 + 0.4, country="France")
    report = check_drift(Windows(reference, current), DIALS, rng())
    found = {drift.column: drift for drift in report.columns}
    before, after = reference["log_unit_price"], current["log_unit_price"]
    assert found["log_unit_price"].distance == pytest.approx(
        wasserstein_distance(before, after) / before.std(ddof=0), rel=1e-3
    )
    shares = reference["country"].value_counts(normalize=True)
    expected = jensenshannon([shares["France"], shares["United Kingdom"]], [1.0, 0.0])
    assert found["country"].distance == pytest.approx(expected, rel=1e-6)
    assert {name for name, drift in found.items() if drift.drifted} == {"log_unit_price", "country"}
    inputs = len(NAMES) - 1
    assert report.verdict.value == pytest.approx(2 / inputs)
    assert report.verdict.passed
    assert report.target is not None
    assert not report.target.drifted


def test_a_drifted_target_is_told_and_does_not_close_the_gate() -> None:
    """Not before it is ``drift.max_column_ratio`` times its threshold."""
    current = window(4000, 2)
    report = check_drift(Windows(window(4000, 1), current.assign(**{TARGET: current[TARGET] + 3})), DIALS, rng())
    assert report.target is not None
    assert report.target.drifted
    assert report.verdict.passed


def test_too_many_drifted_columns_fail_the_verdict() -> None:
    current = window(1000, 2)
    report = check_drift(
        Windows(window(1000, 1), current.assign(**{n: current[n] + 3 for n in NUMERIC_COLUMNS})), DIALS, rng()
    )
    assert not report.verdict.passed
    assert report.verdict.value > DIALS.max_share


def test_a_column_without_values_and_an_empty_window_fail_closed() -> None:
    blank = window(500, 2).assign(sku_recent_mean=np.nan)
    report = check_drift(Windows(window(500, 1), blank), DIALS, rng())
    found = column(report, "sku_recent_mean")
    assert found.drifted
    assert found.distance is None
    assert report.worst == found
    assert not report.verdict.passed, "one column that cannot be compared is enough"
    assert "sku_recent_mean could not be compared" in report.verdict.reason
    empty = check_drift(Windows(window(500, 1).iloc[:0], blank), DIALS, rng())
    assert not empty.verdict.passed
    assert empty.verdict.value is None


CUSTOMERS = ("customer_mean", "customer_recent_mean", "customer_sku_mean")


def guests(rows: pd.DataFrame, keep: int = 0) -> pd.DataFrame:
    """All but the first rows without their customers."""
    kept = np.arange(len(rows)) < keep
    named = dict.fromkeys(CUSTOMERS)
    return rows.assign(
        registered=np.where(kept, rows["registered"], 0.0),
        customer_id=np.where(kept, rows["customer_id"], None),
        **{name: rows[name].where(kept) for name in named},
    )


def test_nothing_on_both_sides_is_no_drift_and_is_told() -> None:
    """A shop without customers, and one in which a hundredth of the lines has one, by chance on one side only."""
    for kept in (0, 5):
        report = check_drift(Windows(guests(window(500, 1)), guests(window(500, 2), keep=kept)), DIALS, rng())
        assert report.verdict.passed
        assert report.verdict.reason.endswith(f"; nothing on both sides: {', '.join(CUSTOMERS)}")
        for found in (column(report, name) for name in CUSTOMERS):
            assert (found.distance, found.ratio, found.drifted, found.note) == (None, 0, False, "nothing on both sides")


@pytest.mark.parametrize("lost_before", [True, False])
def test_what_one_side_has_and_the_other_lost_is_drift(lost_before: bool) -> None:
    """The same shop with customers in one window alone: nothing of it is called nothing."""
    sides = [window(500, 1), guests(window(500, 2))]
    report = check_drift(Windows(*(sides[::-1] if lost_before else sides)), DIALS, rng())
    assert not report.verdict.passed
    assert {c.column for c in report.columns if c.drifted} >= {*CUSTOMERS, "registered"}
    assert "nothing" not in report.verdict.reason
    assert column(report, "customer_mean").note == "could not be compared"


@pytest.mark.parametrize(("keys", "compared"), [(1, False), (2, False), (3, True)])
def test_the_mean_of_a_customer_or_two_is_a_curve(keys: int, compared: bool) -> None:
    """Its small move is many times its own spread, and says nothing; that of three is compared."""
    sides = [
        rows.assign(
            customer_id=[str(row % keys) for row in range(500)], customer_mean=mean + 1e-3 * rows["customer_mean"]
        )
        for rows, mean in ((window(500, 1), 1.00), (window(500, 2), 1.01))
    ]
    found = column(check_drift(Windows(*sides), DIALS, rng()), "customer_mean")
    assert found.drifted == compared
    assert found.note == ("" if compared else "too few to compare")


def test_a_column_of_one_value_has_not_drifted() -> None:
    """One country, one price: the same value on both sides is no drift, another value is."""
    one = {"country": "France", "log_unit_price": 0.5, "registered": 1.0}
    same = check_drift(Windows(*(window(500, seed).assign(**one) for seed in (1, 2))), DIALS, rng())
    assert not any(column(same, name).drifted for name in one)
    other = {"country": "Spain", "log_unit_price": 0.6, "registered": 0.0}
    moved = check_drift(Windows(window(500, 1).assign(**one), window(500, 2).assign(**other)), DIALS, rng())
    assert all(column(moved, name).drifted for name in one)


def test_a_columns_own_threshold_wins() -> None:
    current = window(2000, 2)
    shifted = Windows(window(2000, 1), current.assign(customer_mean=current["customer_mean"] + 0.3))
    own = dials(thresholds={"customer_mean": 0.5})
    drifted = [{c.column for c in check_drift(shifted, chosen, rng()).columns if c.drifted} for chosen in (DIALS, own)]
    assert drifted == [{"customer_mean"}, set()]


def test_a_columns_own_method_wins_and_is_scipys_too() -> None:
    reference, current = window(4000, 1), window(4000, 2)
    current = current.assign(country="France")
    own = dials(methods={"country": "Hellinger distance", "log_unit_price": "Jensen-Shannon distance"})
    report = check_drift(Windows(reference, current), own, rng())
    france = reference["country"].eq("France").mean()
    expected = math.sqrt(((1 - math.sqrt(france)) ** 2 + (1 - france)) / 2)  # Hellinger distance to (1, 0)
    assert column(report, "country").distance == pytest.approx(expected, rel=1e-6)
    assert column(report, "country").method == "Hellinger distance"
    edges = np.histogram_bin_edges(reference["log_unit_price"], bins="sturges")
    shares = [np.histogram(rows["log_unit_price"], bins=edges)[0] for rows in (reference, current)]
    assert column(report, "log_unit_price").distance == pytest.approx(jensenshannon(*shares), abs=0.02)
    assert column(report, "log_unit_price").method == "Jensen-Shannon distance"
    assert column(report, "registered").method == DIALS.categorical_method


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": {"contry": 0.2}}, "drift.thresholds.contry is not a compared column, did you mean country?"),
        (
            {"methods": {"log_unit_prices": "PSI"}},
            "drift.methods.log_unit_prices is not a compared column, did you mean log_unit_price?",
        ),
        (
            {"thresholds": {"month": 0.2}},
            "drift.thresholds.month is not a compared column: it moves with the calendar or with the length of the "
            "history",
        ),
        (
            {"methods": {"xyz": "PSI"}},
            "drift.methods.xyz is not a compared column; those are registered, country, log_unit_price, "
            "log_price_vs_mean, sku_recent_mean, customer_mean, customer_recent_mean, customer_sku_mean, log_quantity",
        ),
        (
            {"methods": {"country": "Normed Wasserstein distance"}},
            "drift.methods.country must be a method for categories: Jensen-Shannon distance, Hellinger distance, PSI, "
            "got 'Normed Wasserstein distance'",
        ),
    ],
)
def test_a_dial_of_a_column_that_is_not_compared_is_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError, match=re.escape(f"params.yaml: {message}") + "$"):
        require_columns(dials(**changes))
    with pytest.raises(ParamsError):
        check_drift(Windows(window(50, 1), window(50, 2)), dials(**changes), rng())


def test_the_shipped_dials_name_compared_columns() -> None:
    shipped = read_params(ROOT / "params.yaml").drift
    named = {*shipped.thresholds, *shipped.methods}
    assert named, "the defaults are calibrated by column"
    assert named <= {*NUMERIC_COLUMNS, *CATEGORICAL_COLUMNS}


def test_the_shipped_dials_were_calibrated_and_met_their_goals() -> None:
    """``docs/decisions/0010-drift-calibration.md`` quotes it; another dial needs another run of it."""
    calibration = json.loads((ROOT / "benchmarks/results/drift_calibration.json").read_text())
    shipped = read_params(ROOT / "params.yaml").drift.model_dump(exclude={"policy", "max_error_growth"})
    assert {name: calibration["details"]["dials"][name] for name in shipped} == shipped
    assert [goal["value"] for goal in calibration["goals"]] == [goal["limit"] for goal in calibration["goals"]]


def test_missing_values_are_drift_that_no_distance_sees() -> None:
    reference, current = window(2000, 1), window(2000, 1)
    for lost, drifted in ((98, False), (100, True)):
        holed = current.assign(log_unit_price=current["log_unit_price"].mask(np.arange(2000) < lost))
        found = column(check_drift(Windows(reference, holed), DIALS, rng()), "log_unit_price")
        assert found.current_missing_share == pytest.approx(lost / 2000)
        assert found.reference_missing_share == 0
        assert found.distance < 0.1
        assert missing_ratio(found) == pytest.approx(lost / 100)
        assert found.drifted is drifted
    back = column(check_drift(Windows(holed, reference), DIALS, rng()), "log_unit_price")
    assert not back.drifted, "a history gets longer, so that fewer values are missing"
    assert missing_ratio(back) == 0


def test_what_counts_as_missing_for_registered_and_country() -> None:
    lines = pd.DataFrame(
        {
            "invoice": ["1", "1", "1", "2", "2", "3", "4", "4"],
            "customer_id": ["A", None, "A", None, None, "B", None, "C"],
            "registered": [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0],
            "country": ["UK"] * 5 + ["Unspecified", None, "France"],
        }
    )
    assert missing_share(lines, "registered") == 2 / 8, "a guest's invoice has lost none"
    assert missing_share(lines, "country") == 2 / 8, "the contract writes Unspecified for a missing one"


def test_the_missing_share_is_of_the_window_not_the_sample() -> None:
    reference, current = window(400, 1), window(400, 2).assign(invoice=np.repeat([str(i) for i in range(200)], 2))
    current = current.assign(customer_id=np.tile(["A", None], 200), registered=np.tile([1.0, 0.0], 200))
    report = check_drift(Windows(reference, current), dials(max_rows=100), rng())
    assert column(report, "registered").current_missing_share == 0.5


@pytest.mark.parametrize("name", ["log_unit_price", TARGET])
def test_one_column_far_off_fails_though_the_share_is_low(name: str) -> None:
    reference, current = window(2000, 1), window(2000, 2)
    spread = reference[name].std(ddof=0)
    for shift, passed in ((0.1, True), (0.3, False)):
        moved = current.assign(**{name: current[name] + shift * spread})
        ratio = wasserstein_distance(reference[name], moved[name]) / spread / 0.1
        report = check_drift(Windows(reference, moved), dials(max_column_ratio=2.0), rng())
        assert report.worst is not None
        assert report.worst.column == name
        assert report.worst.ratio == pytest.approx(ratio, rel=1e-3)
        assert report.verdict.value <= 1 / 8 < DIALS.max_share
        assert report.verdict.passed is passed is bool(ratio < 2)
    assert f"distance of {name} is 3" in report.verdict.reason


def test_nulls_that_are_many_fail_the_verdict_and_are_named() -> None:
    current = window(2000, 1)
    holed = current.assign(customer_mean=current["customer_mean"].mask(np.arange(2000) < 240))
    report = check_drift(Windows(window(2000, 1), holed), dials(max_column_ratio=2.0), rng())
    assert not report.verdict.passed
    assert "the share of missing values of customer_mean is 2.4 times its threshold" in report.verdict.reason


def test_a_figure_that_is_no_number_has_drifted() -> None:
    made = judged(ColumnDrift("country", "input", "PSI", 0.05, 0.1, 0.0, 0.0, 0.05, ratio=None, drifted=True))
    assert not made.drifted
    assert made.ratio == pytest.approx(0.5)
    for hole in ("distance", "reference_missing_share", "current_missing_share"):
        broken = judged(ColumnDrift(**{**asdict(made), hole: None}))
        assert broken.drifted, hole
        assert broken.ratio is None, hole
    assert judged(replace(made, distance=0.1)).drifted, "the threshold itself counts"


def test_windows_never_share_a_day() -> None:
    days = pd.DataFrame({DAY: pd.date_range("2011-01-01", periods=30)})
    boundaries = Boundaries(pd.Timestamp("2011-01-20"), pd.Timestamp("2011-01-25"))
    short = find_windows(days, boundaries, current_days=5)
    assert (short.reference[DAY].max(), short.current[DAY].min()) == (
        pd.Timestamp("2011-01-19"),
        pd.Timestamp("2011-01-26"),
    )
    long = find_windows(days, boundaries, current_days=20)
    assert (long.reference[DAY].max(), long.current[DAY].min()) == (
        pd.Timestamp("2011-01-10"),
        pd.Timestamp("2011-01-11"),
    )
    assert find_windows(days, boundaries, current_days=99).reference.empty


LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*\b(?:src|data)\s*=\s*["']?\s*(?:https?:)?//"""
    r"""|<link\b[^>]*\bhref\s*=\s*["']?\s*(?:https?:)?//|@import\s+(?:url\()?\s*["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def test_the_page_repeats_and_needs_no_network() -> None:
    pages = [check_drift(Windows(window(300, 1), window(300, 2)), DIALS, rng()).page for _ in range(2)]
    assert pages[0] == pages[1]
    assert LOADS.search(pages[0].html) is None
    for tag in ('<script async src="https://a.b/c.js">', "<link rel=x href='//a.b/c.css'>", "@import url(http://a.b)"):
        assert LOADS.search(tag), tag
    a, b = "0190c0de-aaaa-7bbb-8ccc-0123456789ab", "f5c0e19bc6b442409e528b7e04c1043b"
    numbered = without_random_ids(f"{a} {b} {a}").split()
    assert numbered[0] == numbered[2] != numbered[1]
    assert all(name.isidentifier() and name.isascii() for name in numbered), "they are in names of variables"
    assert a not in numbered


STATIC = Path(evidently.__file__).parent / "nbextension/static"


def test_what_all_evidently_pages_share_is_one_file_beside() -> None:
    """The oracle is the library's own folder: its script, and its font as base64."""
    one, other = (check_drift(Windows(window(300, 1), window(300, seed)), DIALS, rng()).page for seed in (2, 3))
    assert one.html != other.html
    assert one.assets == other.assets
    assert len(one.html) < len(one.assets["evidently.js"]) / 10
    assert one.assets["evidently.js"].strip() == (STATIC / "index.js").read_text().strip()
    font = base64.b64encode((STATIC / "material-ui-icons.woff2").read_bytes()).decode()
    assert font in one.assets["evidently.css"]
    assert font[:200] not in one.html
    for name in one.assets:
        assert one.html.count(f'="{ASSETS}/{name}"') == 1


def test_splitting_takes_the_longest_blocks_and_nothing_else() -> None:
    scripts = "<script>var x</script><b></b><script>library</script><script>y</script>"
    html = f"<head><style>a</style><style>long one</style>{scripts}"
    page = split_page(html)
    assert page.assets == {"evidently.js": "library", "evidently.css": "long one"}
    css, js = f'<link rel="stylesheet" href="{ASSETS}/evidently.css">', f'<script src="{ASSETS}/evidently.js"></script>'
    policy, rest = page.html.removeprefix("<head>").split(">", 1)
    assert policy.startswith('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; ')
    assert rest == f"<style>a</style>{css}<script>var x</script><b></b>{js}<script>y</script>"


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_the_page_draws_in_a_browser_from_its_folder_alone(tmp_path: Path) -> None:
    whole = check_drift(Windows(window(300, 1), window(300, 2)), DIALS, rng()).page
    file = tmp_path / "reports/drift.html"
    write_text(file, whole.html)
    write_folder(file.with_name(ASSETS), {name: text.encode() for name, text in whole.assets.items()})
    with tab(tmp_path / "profile") as browser:
        browser.open(file, 1280)
        browser.evaluate("document.fonts.ready.then(() => 1)")
        shown = browser.evaluate("document.body.innerText")
        assert browser.complaints() == []
        asked = {url for url in browser.requests() if not url.startswith("data:")}
    assert asked == {file.as_uri(), *(f"{file.parent.as_uri()}/{ASSETS}/{name}" for name in whole.assets)}
    assert all(name in shown for name in NAMES)


def strings(tree: object) -> Iterator[str]:
    """Every text in a tree of JSON."""
    if isinstance(tree, str):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from strings(part)


def hostile(text: str) -> DriftReport:
    """Both windows with a country that somebody chose."""
    both = [window(300, seed) for seed in (1, 2)]
    for rows in both:
        rows["country"] = rows["country"].replace("France", text)
    return check_drift(Windows(*both), DIALS, rng())


@pytest.mark.attack
@pytest.mark.parametrize(
    "name",
    [
        "script",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("image", "plaintext", "comment", "line ends")),
    ],
)
def test_a_country_is_text_in_the_drift_page(name: str) -> None:
    report, plain = hostile(TEXTS[name]), check_drift(Windows(window(300, 1), window(300, 2)), DIALS, rng())
    assert Reader(report.page.html).tags == Reader(plain.page.html).tags
    (data,) = re.findall(r"(?m)^ *var metric_\w+ = (.*);$", report.page.html)
    assert html.escape(TEXTS[name], quote=False) in set(strings(json.loads(data)))
    assert report.verdict == plain.verdict, "and the figures are those of any other name"


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.parametrize("name", ["script", "image", "link", "single quotes"])
def test_no_country_runs_in_the_drift_page(name: str, tmp_path: Path) -> None:
    page, file = hostile(TEXTS[name]).page, tmp_path / "drift.html"
    write_text(file, page.html)
    write_folder(file.with_name(ASSETS), {asset: text.encode() for asset, text in page.assets.items()})
    with tab(tmp_path / "profile") as browser:
        browser.open(file, 1280)
        browser.evaluate("new Promise((done) => setTimeout(done, 500))")
        assert browser.evaluate("document.title") == ""
        assert browser.evaluate("document.querySelectorAll('svg a[*|href], img').length") == 0
        assert browser.complaints() == []
        drawn = browser.evaluate("[...document.querySelectorAll('svg text')].map((one) => one.textContent)")
    assert TEXTS[name] in drawn
