"""The geometry of the page's charts, against coordinates computed by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.report.page.blocks import Cards, Figure, Gates
from pricetrail.report.page.charts import Axis, Item, Row, Series, bullet, lines_chart, rows_chart
from pricetrail.report.page.render import sections
from pricetrail.report.page.svg import Chart, Drawing, Mark, Scale, path, room, symbol, ticks
from support.page_sample import results

Box = tuple[float, float]


def of(drawing: Drawing, kind: str) -> list[Mark]:
    return [mark for mark in drawing.marks if kind in mark.get("class").split()]


def test_bar_and_threshold_stand_at_their_values() -> None:
    """0 to 1.25 x 0.4 = 0.5 over the pixels 6 to 354: 0.3 at 6 + 348 x 0.6 = 214.8, 0.4 at 284.4."""
    chart = bullet("k", "t", "d", Item(0.3, "bar"), 0.4, at_least=False)
    (bar,), (threshold,), (passes,) = of(chart.wide, "bar"), of(chart.wide, "threshold"), of(chart.wide, "passes")
    assert (bar.get("x"), bar.get("width")) == ("6", "208.8")
    assert threshold.get("x1") == threshold.get("x2") == "284.4"
    assert (passes.get("x"), passes.get("width")) == ("6", "278.4"), "what is at most the threshold passes"
    above = bullet("k", "t", "d", Item(0.3, "bar"), 0.4, at_least=True)
    (passes,) = of(above.wide, "passes")
    assert (passes.get("x"), passes.get("width")) == ("284.4", "69.6")


def test_a_value_at_the_threshold_ends_at_the_threshold() -> None:
    chart = bullet("k", "t", "d", Item(0.1, "bar"), 0.1, at_least=False)
    (bar,), (threshold,) = of(chart.wide, "bar"), of(chart.wide, "threshold")
    assert float(bar.get("x")) + float(bar.get("width")) == pytest.approx(float(threshold.get("x1")))


def test_a_value_that_was_not_computed_has_no_bar() -> None:
    chart = bullet("k", "t", "d", None, 0.1, at_least=False)
    assert not of(chart.wide, "bar")
    assert [mark.text for mark in of(chart.wide, "value")] == ["not computed"]


def test_a_negative_value_lies_left_of_zero() -> None:
    """-0.1 to 0.5: zero at 6 + 348 / 6 = 64."""
    chart = bullet("k", "t", "d", Item(-0.1, "bar", "bad"), 0.4, at_least=True)
    (bar,) = of(chart.wide, "bar")
    assert (bar.get("x"), bar.get("width")) == ("6", "58")


def test_rows_share_one_axis() -> None:
    """No label and no note: the axis 0 to 10 has the pixels 20 to 762 of a wide chart, 12 to 326 of a narrow one."""
    rows = [Row("", (Item(5, low=0, high=10),)), Row("", (Item(2.5, "bar"), Item(10, "tick")))]
    chart = rows_chart("k", "t", "d", rows, Axis(0, 10, "units", marks=((5.0, "limit"),)))
    assert chart.narrow is not None
    for drawing, start, end in ((chart.wide, 20, 762), (chart.narrow, 12, 326)):
        half = (start + end) / 2
        (dot,), (whisker,), (bar,) = of(drawing, "symbol"), of(drawing, "whisker"), of(drawing, "bar")
        (tick,), (limit,) = of(drawing, "threshold"), of(drawing, "limit")
        assert float(dot.get("cx")) == half == float(limit.get("x1"))
        assert (float(whisker.get("x1")), float(whisker.get("x2"))) == (start, end)
        assert (float(bar.get("x")), float(bar.get("width"))) == (start, (end - start) / 4)
        assert float(tick.get("x1")) == end
        assert dot.get("cy") == whisker.get("y1"), "the interval lies on its dot"
        assert (
            float(bar.get("y")) + 7
            == float(tick.get("y1")) + 11
            == float(dot.get("cy")) + (30 if drawing is chart.wide else 46)
        )


def test_a_line_chart_puts_more_above_less() -> None:
    """62 to 760 across, 234 up to 26: (1, 0) at (62, 234), (3, 1) at (760, 26), (2, 0.5) in the middle."""
    series = Series("s", ((1, 0), (2, 0.5), (3, 1)), tips=("a", "b", "c"))
    chart = lines_chart("k", "t", "d", [series], "x", "y", (0.0, 1.0))
    (line,) = of(chart.wide, "line")
    assert line.get("d") == "M62 234L411 130L760 26"
    assert [(mark.get("cx"), mark.get("cy"), mark.tip) for mark in of(chart.wide, "symbol")] == [
        ("62", "234", "a"),
        ("411", "130", "b"),
        ("760", "26", "c"),
    ]


def test_a_path_goes_through_its_points() -> None:
    assert path("k", [(1, 2), (3.456, 4)]).get("d") == "M1 2L3.46 4"


@pytest.mark.parametrize("shape", ["dot", "ring", "square", "diamond", "cross"])
def test_shapes_are_drawn_unlike_each_other(shape: str) -> None:
    others = [symbol(other, "k", 9, 9) for other in ("dot", "ring", "square", "diamond", "cross") if other != shape]
    assert symbol(shape, "k", 9, 9) not in others


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 10))
def test_ticks_are_few_round_even_and_inside(low: float, span: float, about: int) -> None:
    high = low + span
    if span < abs(low) * 1e-6:
        return
    found = ticks(low, high, about)
    assert len(found) <= about + 1
    assert all(low - span * 1e-6 <= value <= high + span * 1e-6 for value in found)
    steps = [after - before for before, after in pairwise(found)]
    assert all(step == pytest.approx(steps[0], rel=1e-3) for step in steps)
    for step in steps[:1]:
        assert f"{step:.0e}"[0] in "125"


@given(st.floats(-1e3, 1e3), st.floats(0.001, 1e3), st.floats(0, 1))
def test_a_scale_is_a_straight_line_over_a_range_with_air(low: float, span: float, share: float) -> None:
    wide = room(low, low + span)
    assert wide[0] < low < low + span < wide[1]
    scale = Scale(*wide, 10, 500)
    assert (scale.at(wide[0]), scale.at(wide[1])) == (10, 500)
    middle = wide[0] + share * (wide[1] - wide[0])
    assert scale.at(middle) == pytest.approx(10 + 490 * share, abs=0.02)


def charts() -> list[Chart]:
    found: list[Chart] = []
    for section in sections(results()):
        for block in section.blocks:
            if isinstance(block, Figure):
                found.append(block.chart)
            if isinstance(block, Gates | Cards):
                found += [card.chart for card in block.cards]
    return found


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.key)
def test_no_mark_leaves_the_canvas(chart: Chart) -> None:
    for drawing in (chart.wide, chart.narrow):
        if drawing is None:
            continue
        for mark in drawing.marks:
            for name, value in mark.attributes:
                if name in {"x", "x1", "x2", "cx"}:
                    assert 0 <= float(value) <= drawing.width, mark
                if name in {"y", "y1", "y2", "cy"}:
                    assert 0 <= float(value) <= drawing.height, mark
            if mark.tag == "rect":
                assert float(mark.get("width")) >= 0
                assert float(mark.get("x")) + float(mark.get("width")) <= drawing.width + 0.01


def test_drift_stands_at_its_multiple_of_the_threshold() -> None:
    """0.2 of 0.1 is twice as far as the dashed line, 0.05 half as far."""
    (drift,) = [chart for chart in charts() if chart.key == "drift-columns"]
    (limit,), bars = of(drift.wide, "limit"), of(drift.wide, "bar")
    start = float(bars[0].get("x"))
    reach = float(limit.get("x1")) - start
    lengths = {bar.tip.split(":")[0]: float(bar.get("width")) for bar in bars}
    assert lengths["sku_mean"] == pytest.approx(2 * reach, abs=0.02)
    assert lengths["log_quantity"] == pytest.approx(reach / 2, abs=0.02)
    assert [bar.tip.split(":")[0] for bar in bars if "bad" in bar.get("class")] == ["sku_mean"]


def test_prices_now_and_then_are_marked_where_they_are() -> None:
    """Prices 2 to 3 over the pixels 10 to 242: now 2.5 at 126, recommended 2 at 10; 10 units are 66 / 1.05 up."""
    (first, _) = [chart for chart in charts() if chart.key.startswith("price-")]
    assert {mark.get("x1") for mark in of(first.wide, "limit")} == {"126"}
    assert {mark.get("x1") for mark in of(first.wide, "chosen")} == {"10"}
    units, revenue = of(first.wide, "main")[0], of(first.wide, "line")[1]
    assert units.get("d").startswith("M10 21.14L126 46.29L242 40")
    assert revenue.get("d").startswith("M10 112.14"), "20 of 21 x 1.05: 172 - 66 x 20 / 22.05"
