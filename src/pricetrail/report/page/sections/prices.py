"""Price-response curves of the SKUs with the most lines, and how far to trust them."""

from itertools import groupby

from pricetrail.base.money import money
from pricetrail.report.card.facts import settings
from pricetrail.report.page.blocks import Card, Cards, Key, Note, Section, Table, table
from pricetrail.report.page.svg import Chart, Drawing, Mark, Scale, line, path, symbol, text
from pricetrail.report.page.words import count, number, percent, plural, signed
from pricetrail.report.results import PageResults, PricePoint

WIDTH, HEIGHT, PANEL = 252, 196, 66
LIMITS = (
    "The model sees lines that happened: how many lines a price draws is outside of it, and in invoices a low price is "
    "often the result of a large order. On the demo shop, whose elasticities are known, these prices earn less than "
    "asking every SKU’s lowest allowed price. Take each as a candidate for a price test, not as an answer."
)


def prices_section(results: PageResults) -> Section:
    """Small multiples: predicted units and revenue of a line over the price."""
    grouped = groupby(results.price_points, key=lambda point: point.sku)
    curves = [sorted(points, key=lambda point: point.unit_price) for _, points in grouped]
    said = settings(results.lineage)
    currency, unit = str(said.get("shop.currency", "XXX")), str(said.get("shop.unit", "units"))
    cards = [_card(points, place, currency, unit) for place, points in enumerate(curves)]
    summary = results.prices
    change = signed(100 * summary.predicted_revenue_change)
    finding = (
        f"Of {plural(summary.skus, 'SKU')} with a recommendation, {percent(summary.cut_share)} would be cut and "
        f"{percent(summary.raised_share)} raised; the model expects {change}% revenue a line."
    )
    single = sum(len(points) == 1 for points in curves)
    if single and single == summary.skus:
        finding = "Every SKU with enough lines had one price only, so there is no other to recommend."
    elif single:
        finding += (
            f" {single} of the {plural(len(curves), 'SKU')} below had one price only, so there is none to choose."
        )
    note = Note(LIMITS + _told_dips(curves), "A candidate for a test", strong=True)
    if not cards:
        return Section("prices", "Price response", "No SKU had enough lines for a recommendation.", (note,))
    legend = (Key("ring", "plain", "price now"), Key("dot", "main", "price recommended"))
    shown = Cards(tuple(cards), legend, _table(results.price_points, currency, unit))
    return Section("prices", "Price response", finding, (note, shown))


def dips(points: list[PricePoint]) -> bool:
    """Whether units fall at the current price and rise again on both sides of it: small orders pay the list price."""
    place = next((i for i, point in enumerate(points) if point.unit_price == point.current_price), 0)
    around = [points[i].predicted_quantity for i in (place - 1, place + 1) if 0 <= i < len(points)]
    return len(around) == 2 and points[place].predicted_quantity < min(around)


def _told_dips(curves: list[list[PricePoint]]) -> str:
    many = sum(map(dips, curves))
    if not many:
        return ""
    which = "all" if many == len(curves) else f"{many} of the"
    return (
        f" In {which} {plural(len(curves), 'curve')} below units dip at the price of now alone. Small orders at the "
        "list price explain such a dip better than demand does."
    )


def _table(points: tuple[PricePoint, ...], currency: str, unit: str) -> Table:
    rows = []
    for point in points:
        places = (("now", point.current_price), ("recommended", point.recommended_price))
        which = ", ".join(word for word, price in places if price == point.unit_price)
        price, revenue = money(point.unit_price, currency), money(point.predicted_revenue, currency)
        rows.append((point.sku, price, number(point.predicted_quantity, 3), revenue, which))
    columns = ("`SKU", "#price", f"#{unit} a line", "#revenue a line", "which")
    return table("Every point of the curves", columns, rows)


def at_price(points: list[PricePoint], price: float) -> PricePoint:
    """The point of the grid closest to a price."""
    return min(points, key=lambda point: abs(point.unit_price - price))


def _card(points: list[PricePoint], place: int, currency: str, unit: str) -> Card:
    sku = points[0].sku
    now, then = (at_price(points, price) for price in (points[0].current_price, points[0].recommended_price))
    facts = (
        ("price", f"{money(now.unit_price, currency)} → {money(then.unit_price, currency)}"),
        (f"{unit} a line", f"{number(now.predicted_quantity, 3)} → {number(then.predicted_quantity, 3)}"),
        ("revenue a line", f"{money(now.predicted_revenue, currency)} → {money(then.predicted_revenue, currency)}"),
    )
    title = f"{sku}: {unit} and revenue of a line over the price"
    says = "; ".join(f"{label} {value}" for label, value in facts) + f"; {count(points[0].lines)} lines"
    chart = Chart(
        f"price-{place}", title, says, Drawing(WIDTH, HEIGHT, tuple(curve_marks(points, now, then, currency, unit)))
    )
    return Card(sku, points[0].description or "", chart, facts)


def curve_marks(points: list[PricePoint], now: PricePoint, then: PricePoint, currency: str, unit: str) -> list[Mark]:
    """Two panels over one price axis, from zero up."""
    across = Scale(points[0].unit_price, points[-1].unit_price, 10, WIDTH - 10)
    marks: list[Mark] = []
    panels = ((f"{unit} a line", "predicted_quantity"), ("revenue a line", "predicted_revenue"))
    for row, (title, key) in enumerate(panels):
        floor = 18 + PANEL + row * (PANEL + 22)
        up = Scale(0, max(getattr(point, key) for point in points) * 1.05 or 1.0, floor, floor - PANEL)
        spots = [(across.at(point.unit_price), up.at(getattr(point, key))) for point in points]
        marks += [
            line("grid", 4, floor, WIDTH - 4, floor),
            line("limit", across.at(now.unit_price), floor - PANEL, across.at(now.unit_price), floor),
            line("chosen", across.at(then.unit_price), floor - PANEL, across.at(then.unit_price), floor),
            text("panel", 4, floor - PANEL - 4, title),
            path("line main", spots),
        ]
        for point, shape, tone in ((now, "ring", "plain"), (then, "dot", "main")):
            value = getattr(point, key)
            shown = money(value, currency) if key == "predicted_revenue" else number(value, 3)
            tip = f"{money(point.unit_price, currency)}: {shown} {title}"
            x, y = across.at(point.unit_price), up.at(getattr(point, key))
            marks.append(symbol(shape, f"symbol {tone}", x, y, tip))
    ends = ((points[0], 4, "start"), (points[-1], WIDTH - 4, "end"))
    marks += [text("tick", x, HEIGHT - 6, money(point.unit_price, currency), anchor) for point, x, anchor in ends]
    return marks
