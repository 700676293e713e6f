"""Seven small shops, each written as its system writes it: `python tests/support/example_shops.py` writes them anew.

A shop is made from its true sales (`Sale`), seeded; then a writer puts them into the layout of the system, with what
such an export holds beside them: returns, fees, rows that only repeat, empty cells. So the true lines are known without
any code of `pricetrail`. Nothing is anybody's data; the columns are those of the real exports.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl

FOLDER = Path(__file__).parents[1] / "data" / "examples"
XLSX = ".xlsx"


@dataclass(frozen=True)
class Sale:
    """One true line; the price in hundredths of the currency."""

    invoice: str
    sku: str
    description: str
    quantity: int
    at: dt.datetime
    cents: int
    customer: str | None
    country: str


@dataclass(frozen=True)
class Example:
    """A shop's files and settings, and what must come of them.

    Attributes:
        files: rows by file and sheet (workbooks), or bytes by file.
        settings: what `params.yaml` must say, by dotted key.
        sales: the true lines.
        dropped: rows that are no sale, by reason.
        currency: a sign of it that the report page must show.
    """

    name: str
    files: dict[str, bytes | dict[str, list[list[Any]]]]
    settings: dict[str, Any]
    sales: list[Sale]
    dropped: dict[str, int]


def sales(
    seed: int,
    first: dt.date,
    days: int,
    a_day: int,
    goods: Sequence[tuple[str, str, int, int]],
    customers: Sequence[str | None],
    countries: Sequence[str],
    invoice: Callable[[int], str],
) -> list[Sale]:
    """Seeded sales of a shop that closes on Sundays; who buys much always buys much, a cut price sells more.

    Args:
        seed: of this shop.
        first: its first day.
        days: length of its history.
        a_day: lines of a day, about.
        goods: SKU, description, price in hundredths, usual quantity.
        customers: None is a guest; the n-th customer's size is told by n.
        countries: the n-th customer lives in the n-th of them, in turn.
        invoice: the number of the n-th invoice.
    """
    chance, made, number = random.Random(seed), list[Sale](), 0
    for day in (first + dt.timedelta(days=n) for n in range(days)):
        left = 0 if day.weekday() == 6 else a_day + chance.randrange(-1, 2)
        minute = 9 * 60
        while left > 0:
            number, minute = number + 1, minute + chance.randrange(5, 40)
            who = chance.randrange(len(customers))
            size = (1, 2, 6)[who % 3] if customers[who] else 1
            at = dt.datetime.combine(day, dt.time(minute // 60, minute % 60, chance.randrange(60)))
            basket = chance.sample(range(len(goods)), min(left, chance.randrange(1, 5)))
            for sku, description, cents, usual in (goods[n] for n in sorted(basket)):
                is_cut = (day.isocalendar().week + len(sku) + usual) % 4 == 0
                cents = cents * 4 // 5 if is_cut else cents
                quantity = max(1, round(usual * size * (1.5 if is_cut else 1) * chance.choice((0.8, 1, 1, 1.25))))
                country = countries[who % len(countries)]
                made.append(Sale(invoice(number), sku, description, quantity, at, cents, customers[who], country))
            left -= len(basket)
    return made


def goods(codes: Iterable[str], names: Iterable[str]) -> list[tuple[str, str, int, int]]:
    """Products: dear ones sell one at a time, cheap ones by the dozen."""
    prices = (85, 125, 210, 295, 425, 650, 1275, 2495)
    units = (12, 10, 6, 4, 3, 2, 1, 1)
    return list(zip(codes, names, prices, units, strict=False))


THINGS = ("Tea light", "Paper lantern", "Cotton bag", "Mug, white", 'Candle 8" tall', "Tea towel", "Vase", "Oak tray")


def text(rows: Iterable[Sequence[Any]], delimiter: str = ",", encoding: str = "utf-8", end: str = "\r\n") -> bytes:
    """A CSV file as spreadsheets write it: quotes where they must be."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    return file.getvalue().encode(encoding)


def money(cents: int) -> str:
    """In units of the currency, two decimals."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def by_invoice(lines: Sequence[Sale]) -> list[tuple[Sale, bool]]:
    """Each line, and whether it is the first of its invoice."""
    return [(line, number == 0 or lines[number - 1].invoice != line.invoice) for number, line in enumerate(lines)]


def _names(text: str) -> list[str]:
    return text.split(",")


UCI_COLUMNS = _names("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country")
UCI_SKUS = ("22423", "22086", "84029E", "84029G", "21754", "22752", "85123A", "47566")
CUSTOMERS = [str(12346 + 7 * n) for n in range(24)] + [None] * 8
COUNTRIES = ("United Kingdom", "United Kingdom", "Germany", "United Kingdom", "France")


def uci() -> Example:
    """UCI Online Retail as CSV: month first, ISO-8859-1, fees and cancellations among the sales, rows twice."""
    lines = [
        replace(sale, at=sale.at.replace(second=0), description=sale.description.upper().replace("VASE", "£1 VASE"))
        for sale in sales(
            1, dt.date(2010, 12, 1), 70, 12, goods(UCI_SKUS, THINGS), CUSTOMERS, COUNTRIES, _number(536365)
        )
    ]
    rows, dropped = list[list[Any]](), {"duplicate": 0, "cancellation": 0, "not_a_product": 0, "price_not_positive": 0}
    for number, (sale, is_first) in enumerate(by_invoice(lines)):
        rows.append(row := _uci_row(sale))
        if number % 60 == 7:
            rows.append(row)
            dropped["duplicate"] += 1
        if number % 45 == 11:
            rows.append(["C" + row[0], *row[1:3], -sale.quantity, *row[4:]])
            dropped["cancellation"] += 1
        if is_first and number % 7 == 3:
            rows.append([row[0], "POST", "POSTAGE", 1, row[4], "18.00", *row[6:]])
            dropped["not_a_product"] += 1
        if number % 200 == 50:
            rows.append([row[0], "22139", "", 56, row[4], "0.00", "", "United Kingdom"])
            dropped["price_not_positive"] += 1
    settings = {
        "shop.preset": "uci",
        "data.datetime_format": "%m/%d/%Y %H:%M",
        "data.encoding": "iso-8859-1",
    }
    return Example(
        "uci", {"OnlineRetail.csv": text([UCI_COLUMNS, *rows], encoding="latin-1")}, settings, lines, dropped
    )


def _uci_row(sale: Sale) -> list[Any]:
    at = f"{sale.at.month}/{sale.at.day}/{sale.at.year} {sale.at.hour}:{sale.at.minute:02d}"
    customer = sale.customer or ""
    return [sale.invoice, sale.sku, sale.description, sale.quantity, at, money(sale.cents), customer, sale.country]


def _number(first: int, shape: str = "{}") -> Callable[[int], str]:
    return lambda n: shape.format(first + n)


def online_retail_2() -> Example:
    """Online Retail II: a workbook of two sheets that overlap for nine days; numbers are numbers, dates are dates."""
    lines = [
        replace(sale, at=sale.at.replace(second=0), description=sale.description.upper())
        for sale in sales(
            2, dt.date(2010, 11, 1), 72, 12, goods(UCI_SKUS, THINGS), CUSTOMERS, COUNTRIES, _number(531000)
        )
    ]
    header = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
    older = [sale for sale in lines if sale.at < dt.datetime(2010, 12, 10)]
    newer = [sale for sale in lines if sale.at >= dt.datetime(2010, 12, 1)]
    sheets = {
        "Year 2009-2010": [header, *map(_retail_2_row, older)],
        "Year 2010-2011": [header, *map(_retail_2_row, newer)],
    }
    for sheet, sale in (("Year 2009-2010", older[20]), ("Year 2010-2011", newer[-20])):
        row = _retail_2_row(sale)
        sheets[sheet].append([f"C{row[0]}", *row[1:3], -sale.quantity, *row[4:]])
    settings = {
        "shop.preset": "uci",
        "data.columns.invoice": "Invoice",
        "data.columns.unit_price": "Price",
        "data.columns.customer_id": "Customer ID",
    }
    dropped = {"duplicate": len(older) + len(newer) - len(lines), "cancellation": 2}
    settings["data.max_dropped_share"] = 0.2  # the sheets repeat nine days
    return Example("online_retail_2", {"online_retail_II.xlsx": sheets}, settings, lines, dropped)


def _retail_2_row(sale: Sale) -> list[Any]:
    sku = int(sale.sku) if sale.sku.isdigit() else sale.sku
    customer = float(sale.customer) if sale.customer else None
    price = sale.cents / 100
    return [int(sale.invoice), sku, sale.description, sale.quantity, sale.at, price, customer, sale.country]


SHOPIFY_COLUMNS = _names(
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,"
    "Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,"
    "Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,"
    "Shipping Address1,Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,"
    "Shipping Country,Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,"
    "Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,Id,Tags,Risk Level,Source,"
    "Lineitem discount,Tax 1 Name,Tax 1 Value,Phone,Receipt Number,Duties"
)
NEW_YORK = ZoneInfo("America/New_York")


def shopify() -> Example:
    """Shopify's orders: what belongs to the order stands on its first line only; offsets change with the clocks."""
    made = goods((f"CNDL-{n:02d}" for n in range(8)), THINGS)
    mails = [f"buyer{n}@example.com" if n % 4 else None for n in range(32)]  # a sale at the counter has no address
    lines = sales(3, dt.date(2025, 9, 8), 70, 8, made, mails, ("US", "US", "CA"), _number(1000, "#{}"))
    void = {line.invoice for line, is_first in by_invoice(lines) if is_first and int(line.invoice[1:]) % 40 == 5}
    rows, dropped = list[list[Any]](), {"not_a_product": 0}
    for sale, is_first in by_invoice(lines):
        status = "refunded" if sale.invoice in void else "paid"
        at = f"{sale.at.replace(tzinfo=NEW_YORK):%Y-%m-%d %H:%M:%S %z}"
        row: dict[str, Any] = {"Name": sale.invoice, "Email": sale.customer or ""}
        if is_first:
            row |= {"Financial Status": status, "Paid at": at, "Currency": "USD", "Shipping": "5.00", "Created at": at}
            row |= {"Shipping Country": sale.country, "Source": "web", "Id": 5000000000000 + int(sale.invoice[1:])}
        row |= {"Lineitem quantity": sale.quantity, "Lineitem name": sale.description, "Lineitem discount": "0.00"}
        row |= {"Lineitem price": money(sale.cents), "Lineitem sku": sale.sku, "Vendor": "Example"}
        rows.append([row.get(column, "") for column in SHOPIFY_COLUMNS])
        if sale.invoice not in void and not is_first and int(sale.invoice[1:]) % 20 == 3:
            tip = {"Name": sale.invoice, "Email": sale.customer or "", "Lineitem quantity": 1, "Lineitem name": "Tip"}
            rows.append([(tip | {"Lineitem price": "2.00"}).get(column, "") for column in SHOPIFY_COLUMNS])
            dropped["not_a_product"] += 1
    dropped["cancelled_status"] = sum(line.invoice in void for line in lines)
    settings = {
        **_columns(
            invoice="Name",
            sku="Lineitem sku",
            description="Lineitem name",
            quantity="Lineitem quantity",
            invoiced_at="Created at",
            unit_price="Lineitem price",
            customer_id="Email",
            country="Shipping Country",
            status="Financial Status",
            currency="Currency",
        ),
        "data.fill_down": ["invoiced_at", "country", "status"],
        "data.datetime_format": "%Y-%m-%d %H:%M:%S %z",
        "data.timezone": "America/New_York",
        "shop.currency": "USD",
        "shop.cancelled_status": ["refunded", "voided"],
    }
    true = [line for line in lines if line.invoice not in void]
    return Example("shopify", {"orders_export.csv": text([SHOPIFY_COLUMNS, *rows], end="\n")}, settings, true, dropped)


def _columns(**names: Any) -> dict[str, Any]:
    return {f"data.columns.{ours}": theirs for ours, theirs in names.items()}


WOO_COLUMNS = _names(
    "Order Number,Order Status,Order Date,Customer Note,First Name (Billing),Last Name (Billing),Company (Billing),"
    "Country Code (Billing),Email (Billing),Payment Method Title,Cart Discount Amount,Order Subtotal Amount,"
    "Shipping Method Title,Order Shipping Amount,Order Refund Amount,Order Total Amount,Order Total Tax Amount,SKU,"
    "Item #,Item Name,Quantity (- Refund),Item Cost,Coupon Code,Discount Amount,Discount Amount Tax"
)


def woocommerce() -> Example:
    """Orders of WooCommerce by the plugin Advanced Order Export: a row an item, the order's fields on each."""
    made = goods((f"woo-{name}" for name in ("tl", "pl", "cb", "mw", "c8", "tt", "va", "ot")), THINGS)
    mails = [f"kunde{n}@example.org" for n in range(24)] + [None] * 6
    lines = sales(4, dt.date(2025, 3, 1), 70, 10, made, mails, ("NL", "BE", "NL"), _number(4000))
    lines = [replace(line, at=line.at.replace(second=0), sku=line.sku.upper()) for line in lines]
    rows, dropped = list[list[Any]](), {"cancelled_status": 0, "quantity_not_positive": 0}
    numbers = dict[str, int]()
    for sale in lines:
        numbers[sale.invoice] = number = numbers.get(sale.invoice, 0) + 1
        status = (
            "Cancelled" if int(sale.invoice) % 30 == 4 else "Failed" if int(sale.invoice) % 50 == 6 else "Completed"
        )
        quantity = (
            0 if status == "Completed" and int(sale.invoice) % 45 == 8 else sale.quantity
        )  # all of it was refunded
        dropped["cancelled_status"] += status != "Completed"
        dropped["quantity_not_positive"] += quantity == 0
        row = {"Order Number": sale.invoice, "Order Status": status, "Order Date": f"{sale.at:%Y-%m-%d %H:%M}"}
        row |= {"Country Code (Billing)": sale.country, "Email (Billing)": sale.customer or "", "SKU": sale.sku.lower()}
        row |= {"Item #": str(number), "Item Name": sale.description, "Quantity (- Refund)": str(quantity)}
        row |= {"Item Cost": money(sale.cents).removesuffix("0"), "Payment Method Title": "iDEAL"}
        rows.append([row.get(column, "") for column in WOO_COLUMNS])
    settings = {
        **_columns(
            invoice="Order Number",
            sku="SKU",
            description="Item Name",
            quantity="Quantity (- Refund)",
            invoiced_at="Order Date",
            unit_price="Item Cost",
            customer_id="Email (Billing)",
            country="Country Code (Billing)",
            status="Order Status",
        ),
        "shop.currency": "EUR",
        "shop.cancelled_status": ["Cancelled", "Failed", "Refunded"],
    }
    true = [
        line
        for line in lines
        if int(line.invoice) % 30 != 4 and int(line.invoice) % 50 != 6 and int(line.invoice) % 45 != 8
    ]
    return Example("woocommerce", {"orders.csv": text([WOO_COLUMNS, *rows], end="\n")}, settings, true, dropped)


SQUARE_COLUMNS = _names(
    "Date,Time,Time Zone,Category,Item,Qty,Price Point Name,SKU,Modifiers Applied,Gross Sales,Discounts,Net Sales,"
    "Tax,Transaction ID,Payment ID,Device Name,Notes,Details,Event Type,Location,Dining Option,Customer ID,"
    "Customer Name,Customer Reference ID,Unit,Count"
)


def square() -> Example:
    """Square's items: day and time apart, a total instead of a price, dollars with a sign, refunds below zero."""
    made = goods((f"SQ{n:03d}" for n in range(8)), THINGS)
    ids = [f"CUST{n:04d}" if n % 2 else None for n in range(30)]
    lines = sales(5, dt.date(2025, 5, 1), 70, 8, made, ids, ("Unspecified",), _number(7000, "T{}x"))
    lines[100] = replace(lines[100], quantity=100, cents=1275)  # $1,275.00
    rows, dropped = list[list[Any]](), {"quantity_not_positive": 0, "not_a_product": 0}
    for number, sale in enumerate(lines):
        rows.append(_square_row(sale, "Payment", 1))
        if number % 50 == 9:
            rows.append(_square_row(replace(sale, invoice=f"{sale.invoice}R"), "Refund", -1))
            dropped["quantity_not_positive"] += 1
        if number % 40 == 21:
            rows.append(
                _square_row(replace(sale, sku="", description="Custom Amount", quantity=1, cents=500), "Payment", 1)
            )
            dropped["not_a_product"] += 1
    settings = {
        **_columns(
            invoice="Transaction ID",
            sku="SKU",
            description="Item",
            quantity="Qty",
            invoiced_at=["Date", "Time"],
            unit_price=None,
            line_total="Net Sales",
            customer_id="Customer ID",
            country=None,
        ),
        "data.thousands": ",",
        "shop.currency": "USD",
    }
    return Example("square", {"items-2025.csv": text([SQUARE_COLUMNS, *rows], end="\n")}, settings, lines, dropped)


def _square_row(sale: Sale, event: str, sign: int) -> list[Any]:
    total = f"{'-' if sign < 0 else ''}${sale.quantity * sale.cents / 100:,.2f}"
    row = {"Date": f"{sale.at:%Y-%m-%d}", "Time": f"{sale.at:%H:%M:%S}", "Time Zone": "Eastern Time (US & Canada)"}
    row |= {"Item": sale.description, "Qty": f"{sign * sale.quantity:.1f}", "SKU": sale.sku, "Gross Sales": total}
    row |= {
        "Discounts": "$0.00",
        "Net Sales": total,
        "Tax": "$0.00",
        "Transaction ID": sale.invoice,
        "Event Type": event,
    }
    row |= {"Location": "Market", "Customer ID": sale.customer or "", "Count": "1"}
    return [row.get(column, "") for column in SQUARE_COLUMNS]


GERMAN = (
    "Teelicht",
    "Papierlaterne",
    "Einkaufstasche",
    "Becher, weiß",
    "Kerze groß",
    "Geschirrtuch",
    "Väschen",
    "Tablett „Eiche“",
)


def german() -> Example:
    """A German shop's `;` file: decimal comma, dot between thousands, day first, Windows' code page, zeros in front."""
    made = goods((f"{47110 + n:07d}" for n in range(8)), GERMAN)
    ids = [f"K{n:04d}" for n in range(20)] + [None] * 8
    lines = sales(
        6, dt.date(2025, 1, 2), 70, 10, made, ids, ("Deutschland", "Deutschland", "Österreich"), _number(250000, "RE{}")
    )
    lines = [replace(line, at=line.at.replace(second=0)) for line in lines]
    for number in (77, 300, 501):  # a wholesaler: 1.000 is a thousand
        lines[number] = replace(lines[number], quantity=1000 * (1 + number % 2))
    lines[200] = replace(lines[200], cents=129900)  # 1.299,00
    rows: list[list[Any]] = [_names("Rechnungsnr,Artikelnr,Bezeichnung,Menge,Datum,Einzelpreis,Kundennr,Land")]
    dropped = {"not_a_product": 0, "quantity_not_positive": 0}
    for number, (sale, is_first) in enumerate(by_invoice(lines)):
        rows.append(row := _german_row(sale))
        if is_first and number % 6 == 1:
            rows.append([row[0], "VERSAND", "Versandkosten", "1", row[4], "4,90 €", *row[6:]])
            dropped["not_a_product"] += 1
        if number % 70 == 30:
            rows.append([row[0].replace("RE", "ST"), *row[1:3], f"-{row[3]}", *row[4:]])
            dropped["quantity_not_positive"] += 1
    names = _names("invoice,sku,description,quantity,invoiced_at,unit_price,customer_id,country")
    settings = {
        **_columns(**dict(zip(names, rows[0], strict=True))),
        "data.datetime_format": "%d.%m.%Y %H:%M",
        "data.delimiter": ";",
        "data.encoding": "cp1252",
        "data.decimal": ",",
        "data.thousands": ".",
        "shop.currency": "EUR",
        "shop.not_products": ["VERSAND"],
    }
    return Example("german", {"umsatz.csv": text(rows, ";", "cp1252")}, settings, lines, dropped)


def _german_row(sale: Sale) -> list[Any]:
    mark = str.maketrans(",.", ".,")
    quantity, price = f"{sale.quantity:,}".translate(mark), f"{sale.cents / 100:,.2f} €".translate(mark)
    at = f"{sale.at:%d.%m.%Y %H:%M}"
    return [sale.invoice, sale.sku, sale.description, quantity, at, price, sale.customer or "", sale.country]


def till() -> Example:
    """A till that knows no customers: a row a scan (the cashier can key a number first), so equal rows are sales."""
    made = goods((f"{n:08d}" for n in range(40123450, 40123458)), THINGS)
    lines, rows = list[Sale](), list[list[Any]]()
    for sale in sales(7, dt.date(2025, 6, 2), 70, 10, made, [None], ("Unspecified",), _number(1, "{:06d}")):
        scans = [sale.quantity - 1, 1] if sale.quantity in {4, 6} else [1, 1] if sale.quantity == 2 else [sale.quantity]
        lines += [replace(sale, quantity=scan) for scan in scans]
    for sale in lines:
        rows.append(
            [sale.invoice, f"{sale.at:%Y-%m-%d %H:%M:%S}", sale.sku, sale.description, sale.quantity, money(sale.cents)]
        )
    settings = {
        **_columns(
            invoice="Receipt",
            sku="PLU",
            description="Article",
            quantity="Units",
            invoiced_at="Printed",
            unit_price="Each",
            customer_id=None,
            country=None,
        ),
        "data.delimiter": "\t",
        "shop.currency": "EUR",
    }
    header = ["Receipt", "Printed", "PLU", "Article", "Units", "Each"]
    return Example("till", {"till.tsv": text([header, *rows], "\t", end="\n")}, settings, lines, {})


EXAMPLES: dict[str, Callable[[], Example]] = {
    make.__name__: make for make in (uci, online_retail_2, shopify, woocommerce, square, german, till)
}


def write(example: Example, folder: Path) -> None:
    """The files of an example as they lie in the folder of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in example.files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
            continue
        book = openpyxl.Workbook()
        book.remove(book.active)
        for sheet, rows in content.items():
            page = book.create_sheet(sheet)
            for row in rows:
                page.append(row)
        book.save(folder / name)


if __name__ == "__main__":
    for make in EXAMPLES.values():
        made_one = make()
        write(made_one, FOLDER / made_one.name)
