"""What a shop loses: repeats across files, rules that take too much, dirt that is none; each with its rule and rows."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricetrail.base.errors import ContractError, ParamsError
from pricetrail.base.params import Params
from pricetrail.data.cleaning import clean
from pricetrail.data.contract import parse
from pricetrail.data.reading import Reading, read_shop
from pricetrail.data.shop_rules import shop_rules
from support.tables import HEADER, Row, csv_text, raw_table, shop_settings

CASES = Path(__file__).resolve().parent.parent.parent.parent / "shared/cases"
PLAIN: tuple[Row, ...] = tuple(
    (
        f"{i}",
        f"A-{i % 6}",
        "T",
        f"{1 + i % 12}",
        f"2011-01-{3 + i // 20:02} 10:{i % 60:02}:00",
        f"{2 + i % 9}.5",
        "7",
        "UK",
    )
    for i in range(400)
)
COLUMN = {name: i for i, name in enumerate(HEADER)}


def with_cell(rows: Sequence[Row], at: Sequence[int], column: str, change: Callable[[str], str]) -> list[Row]:
    """Some rows with a cell changed."""
    place, touched = COLUMN[column], set(at)
    return [(*r[:place], change(r[place]), *r[place + 1 :]) if i in touched else r for i, r in enumerate(rows)]


def shop_of(folder: Path, files: Sequence[Sequence[Row]], shop: dict[str, object], **dials: object) -> Params:
    """A folder of files w1.csv, w2.csv…, and parameters that name it."""
    for number, rows in enumerate(files, start=1):
        (folder / f"w{number}.csv").write_text(csv_text(rows))
    params = shop_settings(folder, "generic", **dials)
    return params.model_copy(update={"shop": params.shop.model_copy(update=shop)})


def read(folder: Path, *files: Sequence[Row], shop: dict[str, object] | None = None, **dials: object) -> Reading:
    return read_shop(shop_of(folder, files, shop or {}, **dials))


def refused(folder: Path, *files: Sequence[Row], shop: dict[str, object] | None = None, **dials: object) -> str:
    with pytest.raises(ContractError) as caught:
        read(folder, *files, shop=shop, **dials)
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), "lines")


# --- repeats ---

RULES, WRITTEN = shop_rules(shop_settings(preset="generic")), shop_settings().data.format_of("a.csv")
FEW = st.lists(st.sampled_from([0, 1, 2]), max_size=6)


@settings(max_examples=15)
@given(st.lists(FEW, min_size=1, max_size=3), st.booleans())
def test_files_are_merged_as_multisets(files: list[list[int]], guests: bool) -> None:
    """The oracle is `Counter`, whose union takes the highest count of each line."""
    rows = [
        (str(i), "a", f"in file {n}", "1", "2011-01-03", "2", "" if guests else "7", "UK")
        for n, of in enumerate(files)
        for i in of
    ]
    if not rows:
        return
    raw = raw_table(rows)
    raw["source_file"] = [f"{n}.csv" for n, of in enumerate(files) for _ in of]
    union: Counter[int] = Counter()
    for of in files:
        union |= Counter(of)
    kept = clean(parse(raw, dict.fromkeys(raw["source_file"], WRITTEN), RULES), RULES).lines["invoice"]
    assert Counter(map(int, kept)) == union


def test_a_till_that_writes_a_row_a_unit_keeps_all(tmp_path: Path) -> None:
    twice = [*PLAIN, *PLAIN[:100]]
    again = [(*row[:2], "ANOTHER NAME", *row[3:]) for row in reversed(PLAIN[:30])]
    reading = read(tmp_path, twice, again)
    assert len(reading.cleaned.lines) == 500
    assert reading.cleaned.repeats == {(f"{tmp_path}/w2.csv", f"{tmp_path}/w1.csv"): 30}


def test_a_file_that_comes_again_is_named_first(tmp_path: Path) -> None:
    said = refused(tmp_path, PLAIN[:250], PLAIN[250:], list(reversed(PLAIN)))
    assert said.startswith("lines: w3.csv repeats all its 400 lines of w1.csv, w2.csv: take it out")
    assert "drops 400 of 800: 400 repeats; shop.same_line invoice, sku, quantity, " in said


def test_each_file_tells_what_became_of_it(tmp_path: Path) -> None:
    second = with_cell(with_cell(PLAIN[200:], [0], "Quantity", lambda _: "-1"), [1], "UnitPrice", lambda _: "?")
    one, two = read(tmp_path, PLAIN[:220], second).by_file().values()
    assert (one.rows, one.quarantined, sum(one.dropped.values())) == (220, 0, 0)
    assert (str(one.first_day), str(one.last_day)) == ("2011-01-03", "2011-01-13")
    assert one.repeats == {f"{tmp_path}/w2.csv": 18}
    assert two.repeats == {f"{tmp_path}/w1.csv": 18}
    assert (two.quarantined, two.dropped["quantity_not_positive"], two.dropped["duplicate"]) == (1, 1, 18)


# --- what rules take ---

ABOVE = "the rule that {} must be above 0 takes 41 (w1.csv: row 2: {}"
PARAMS = "shop.{} of params.yaml takes 41 (w1.csv: row 2: {}"
REFUSED: dict[str, tuple[str, Callable[[str], str], dict[str, object], str]] = {
    "returns": ("Quantity", lambda v: f"-{v}", {}, "41 returns; " + ABOVE.format("quantity", "quantity -1")),
    "free": ("UnitPrice", lambda _: "0", {}, "41 without a price; " + ABOVE.format("unit_price", "unit_price 0")),
    "a prefix": (
        "InvoiceNo",
        lambda v: f"ca-{v}",
        {"cancellation_prefix": "C"},
        "41 cancellations; "
        + PARAMS.format("cancellation_prefix 'C'", "invoice ca-0; w1.csv: row 3: invoice ca-1; w1.csv: row 4: invoice")
        + " ca-2); set shop.cancellation_prefix where that is wrong, and data.max_dropped_share where it is right",
    ),
    "the preset": (
        "StockCode",
        lambda v: v,
        {"preset": "uci"},
        "400 of no product; shop.not_products '(?![0-9]{5})' of the preset uci takes 400 (w1.csv: row 2: sku A-0",
    ),
    "a pattern": (
        "StockCode",
        lambda _: "Post",
        {"not_products": "post"},
        "41 of no product; " + PARAMS.format("not_products 'post'", "sku POST)"),
    ),
    "a list": (
        "StockCode",
        lambda _: "fee",
        {"not_products": ("Fee", "X")},
        "41 of no product; " + PARAMS.format("not_products Fee, X", "sku FEE)"),
    ),
}


@pytest.mark.parametrize(("column", "change", "shop", "rule"), REFUSED.values(), ids=REFUSED)
def test_a_rule_that_takes_too_much_is_named(
    tmp_path: Path, column: str, change: Callable[[str], str], shop: dict[str, object], rule: str
) -> None:
    said = refused(tmp_path, with_cell(PLAIN, range(41), column, change), shop=shop)
    assert rule in said
    if "preset" not in shop:  # which takes all
        assert "must drop no more than data.max_dropped_share 0.1 of its lines, and drops 41 of 400" in said
        assert len(read(tmp_path, with_cell(PLAIN, range(40), column, change), shop=shop).cleaned.lines) == 360
        assert (
            len(
                read(
                    tmp_path, with_cell(PLAIN, range(41), column, change), shop=shop, max_dropped_share=0.11
                ).cleaned.lines
            )
            == 359
        )


def test_small_losses_add_up(tmp_path: Path) -> None:
    rows = with_cell(with_cell(PLAIN, range(30), "Quantity", lambda _: "0"), range(30, 60), "UnitPrice", lambda _: "0")
    assert "drops 60 of 400: 30 returns, 30 without a price; " in refused(tmp_path, rows)


def test_a_small_file_is_not_lost_among_large_ones(tmp_path: Path) -> None:
    new = with_cell(PLAIN[:30], range(20), "InvoiceNo", lambda v: f"CA-{v}")
    said = refused(tmp_path, PLAIN[30:], new, shop={"cancellation_prefix": "C"})
    assert said.startswith("w2.csv: must drop no more than 0.5 of its own lines, and drops 20 of 30: 20 cancellations")


@pytest.mark.parametrize(
    ("path", "preset"),
    [("demo/lines", "uci"), ("./demo/lines/", "uci"), ("../demo/lines", "generic"), ("data/lines", "generic")],
)
def test_only_the_demo_shops_own_folder_has_the_uci_rules(path: str, preset: str) -> None:
    assert shop_rules(shop_settings(path, preset="auto")).name == preset


def test_an_empty_pattern_takes_nothing(tmp_path: Path) -> None:
    assert len(read(tmp_path, PLAIN, shop={"preset": "uci", "not_products": ""}).cleaned.lines) == 400


def test_a_status_cancels_all_lines_of_its_order(tmp_path: Path) -> None:
    """Shopify tells the status of an order in its first row only."""
    rows = [
        ("1", "a", "paid"),
        ("1", "b", ""),
        ("2", "c", " Refunded"),
        ("2", "d", ""),
        ("3", "e", "paid"),
        ("3", "f", "voided"),
    ]
    plain = [(*row, "paid") for row in PLAIN]
    named = [(f"o{invoice}", sku, "T", "2", "2011-01-04", "3", "", "UK", status) for invoice, sku, status in rows]
    (tmp_path / "a.csv").write_text(csv_text([*plain, *named], [*HEADER, "Status"]))
    columns = {**shop_settings().data.columns.model_dump(), "status": "Status"}
    params = shop_of(tmp_path, [], {"cancelled_status": ("refunded", "voided")}, columns=columns)
    reading = read_shop(params)
    assert reading.cleaned.dropped["cancelled_status"] == 3
    assert set("ABCDEF") & set(reading.cleaned.lines["sku"]) == set("ABE")


@pytest.mark.parametrize("status", [None, "Status"])
def test_a_status_needs_its_words_and_words_a_status(tmp_path: Path, status: str | None) -> None:
    columns = {**shop_settings().data.columns.model_dump(), "status": status}
    words = () if status else ("refunded",)
    with pytest.raises(ParamsError, match=r"data\.columns\.status and shop\.cancelled_status must both be set"):
        read_shop(shop_of(tmp_path, [PLAIN], {"cancelled_status": words}, columns=columns))


@pytest.mark.parametrize("case", ["04_invoice_CA", "05_sku_letters", "05b_sku_mixed", "38_scanned_twice"])
def test_the_rules_of_another_shop_lose_nothing_in_silence(case: str) -> None:
    if not (CASES / case).is_dir():
        pytest.skip("the cases lie beside the checkout")
    with (CASES / case / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert len(read_shop(shop_settings(CASES / case, "generic")).cleaned.lines) == len(rows)
    with pytest.raises(ContractError, match=r" of the preset uci takes [0-9]+ \(a\.csv: row [24]: "):
        read_shop(shop_settings(CASES / case, "uci"))


# --- dirt, or a kind of its own ---

MANY: list[Row] = [(f"{n}-{row[0]}", *row[1:]) for n in range(6) for row in PLAIN]


def by(column: str, *, last: bool = True, rows: int = 6) -> list[int]:
    """The rows at an end of a column."""
    key = (lambda i: MANY[i][COLUMN[column]]) if column == "InvoiceDate" else (lambda i: float(MANY[i][COLUMN[column]]))
    order = sorted(range(len(MANY)), key=key)
    return order[-rows:] if last else order[:rows]


Biased = tuple[Sequence[int], str, Callable[[str], str], str]
BIASED: dict[str, Biased] = {
    "dear, in another notation": (by("UnitPrice"), "UnitPrice", lambda v: f"1_{v}00", "5% dearest by unit_price"),
    "dear, without an invoice": (by("UnitPrice", rows=30), "InvoiceNo", lambda _: "", "10% dearest by unit_price"),
    "large, without a price": (by("Quantity", rows=30), "UnitPrice", lambda _: "?", "10% largest by quantity"),
    "a day without dates": (range(63, 69), "InvoiceDate", lambda _: "?", "6 of 6 unparseable rows are of 2011-01-06"),
    "old": (by("InvoiceDate", last=False, rows=300)[::15], "Quantity", lambda _: "?", "10% oldest by invoiced_at"),
}


@pytest.mark.parametrize(("at", "column", "change", "told"), BIASED.values(), ids=BIASED)
def test_a_quarantine_of_one_kind_is_bias(
    tmp_path: Path, at: Sequence[int], column: str, change: Callable[[str], str], told: str
) -> None:
    said = refused(tmp_path, with_cell(MANY, at, column, change), max_bad_share=0.02)
    assert f"w1.csv: row {min(at) + 2}: " in said
    assert told in said
    assert "that is bias, no dirt: set how they are written (data.decimal, " in said


@pytest.mark.parametrize("column", ["InvoiceNo", "Quantity", "InvoiceDate", "UnitPrice"])
def test_dirt_spread_evenly_is_none(tmp_path: Path, column: str) -> None:
    for seed in range(2):
        at = random.Random(seed).sample(range(len(MANY)), 20)
        rows = with_cell(MANY, at, column, lambda v: "" if column == "InvoiceNo" else "?")
        assert len(read(tmp_path, rows).parsed.quarantine) == 20


def test_four_rows_are_no_kind(tmp_path: Path) -> None:
    rows = with_cell(MANY, by("UnitPrice", rows=4), "UnitPrice", lambda v: f"1_{v}00")
    assert len(read(tmp_path, rows).parsed.quarantine) == 4
