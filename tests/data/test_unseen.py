"""`pricetrail init`: what it proposes reads right, or it asks; never a third."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner

from pricetrail.base.errors import SourceError
from pricetrail.base.files import read_params
from pricetrail.cli.app import app
from pricetrail.data.profile import profile
from pricetrail.data.reading import read_shop
from pricetrail.data.unseen.column_meaning import by_kind, plain_name
from pricetrail.data.unseen.columns import OPTIONAL, REQUIRED
from pricetrail.data.unseen.date_evidence import date_evidence
from pricetrail.data.unseen.number_evidence import as_number, number_evidence
from pricetrail.data.unseen.proposal import Proposal, propose
from pricetrail.data.unseen.unseen_files import look_at
from support.tables import SHIPPED

PARAMS = Path(__file__).parents[2] / "params.yaml"
TODAY = dt.date(2026, 1, 31)
NAMES = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
FIRST = dt.datetime(2025, 1, 3, 9, 30)


def rows(days: int = 40, when: str = "%Y-%m-%d %H:%M:%S", price: str = "{:.2f}") -> list[list[Any]]:
    """Two lines a day of six products to nine customers; the prices are 2.50 to 7.50."""
    return [
        [
            f"{50000 + n // 2}", f"A{n % 6:04d}", f"THING {n % 6}", 1 + n % 4,
            f"{FIRST + dt.timedelta(days=n // 2):{when}}",
            price.format(2.5 + n % 6), f"{700 + n % 9}", ("France", "Spain")[n % 2],
        ]
        for n in range(2 * days)
    ]  # fmt: skip


def text(table: list[list[Any]], header: list[str] = NAMES, delimiter: str = ",") -> str:
    """CSV."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([header, *table])
    return file.getvalue()


def proposed(folder: Path, answers: dict[str, Any] | None = None, **files: str | bytes) -> Proposal:
    """The proposal for files by name without suffix, written as CSV."""
    data, tables = SHIPPED.data, []
    for name, content in files.items():
        path = folder / f"{name}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        tables += look_at(path, data, answers or {})
    return propose(tables, data.missing, {"shop.currency": "EUR"} | (answers or {}), TODAY)


def value(proposal: Proposal, key: str) -> Any:
    return proposal.told[key][0]


def asked(proposal: Proposal) -> set[str]:
    return {question.key for question in proposal.questions}


@pytest.mark.parametrize(
    "header",
    [
        "Rechnungsnr;Artikelnummer;Bezeichnung;Menge;Datum;Einzelpreis (EUR);Kundennr.;Land;Gesamtpreis;Status",
        "N° facture;Réf. article;Désignation;Quantité;Date;Prix unitaire HT;Code client;Pays;Montant;Statut",
        "N.º pedido;Código artículo;Descripción;Cantidad;Fecha;Precio unitario;Código cliente;País;Importe;Estado",
        "Factuurnummer;Artikelnummer;Omschrijving;Aantal;Factuurdatum;Stuksprijs;Klantnummer;Land;Bedrag;Status",
        "N. fattura;Codice articolo;Descrizione;Quantità;Data fattura;Prezzo unitario;Cod. cliente;Paese;Totale;Stato",
        "order_id;sku;product_name;qty;order_date;unit_price;customer_id;country;total;order_status",
        "Order ID;Product ID;Product Name;Qty;Order Date;Price;Customer ID;Country;Sales;Status",
    ],
)
def test_columns_are_told_by_names_of_six_languages(header: str, tmp_path: Path) -> None:
    """The total of the line and the status stand at the end; the status tells what is cancelled."""
    names = header.split(";")
    table = [[*row, f"{row[3] * float(row[5]):.2f}", "Storno" if n == 7 else "ok"] for n, row in enumerate(rows())]
    found = proposed(tmp_path, a=text(table, names, ";"))
    ours = ("invoice", "sku", "description", "quantity", "invoiced_at", "unit_price", "customer_id", "country")
    assert [value(found, f"data.columns.{name}") for name in ours] == names[:8]
    assert value(found, "data.columns.status") == names[9]
    assert value(found, "shop.cancelled_status") == ["Storno"]
    assert found.questions == ()


@pytest.mark.parametrize(
    ("ours", "names"),
    [
        ("invoiced_at", ["Order Date", "Invoice Date"]),
        ("invoiced_at", ["Created at", "Paid at"]),
        ("quantity", ["Quantity", "Qty"]),
        ("unit_price", ["Unit price net", "Unit price gross"]),
        ("sku", ["Item code", "Product ID"]),
        ("country", ["Billing Country", "Shipping Country"]),
    ],
)
def test_two_columns_that_could_be_it_are_asked_for(ours: str, names: list[str], tmp_path: Path) -> None:
    at = [*REQUIRED[:2], "description", "quantity", "invoiced_at", "unit_price", "customer_id", "country"].index(ours)
    header = [name for name in NAMES if name != NAMES[at]] + names
    table = [
        [*(cell for n, cell in enumerate(row) if n != at), row[at], rows()[(k + 13) % 80][at]]
        for k, row in enumerate(rows())
    ]
    assert asked(proposed(tmp_path, a=text(table, header))) == {f"data.columns.{ours}"}
    chosen = proposed(tmp_path, {f"data.columns.{ours}": names[1]}, a=text(table, header))
    assert (value(chosen, f"data.columns.{ours}"), chosen.questions) == (names[1], ())


def test_a_date_of_shipping_or_a_barcode_is_not_taken(tmp_path: Path) -> None:
    header = [*NAMES, "Ship Date", "EAN", "Qty refunded", "Discount", "Unit cost"]
    table = [[*row, "2025-03-01", f"40123{n % 6:08d}", 0, "0.00", "1.00"] for n, row in enumerate(rows())]
    found = proposed(tmp_path, a=text(table, header))
    assert not found.questions
    assert [value(found, f"data.columns.{ours}") for ours in REQUIRED] == [NAMES[at] for at in (0, 1, 3, 4, 5)]


def test_a_price_that_grows_with_the_quantity_is_asked_for(tmp_path: Path) -> None:
    table = [[*row[:5], f"{row[3] * float(row[5]):.2f}", *row[6:]] for row in rows()]
    assert asked(proposed(tmp_path, a=text(table))) == {"data.columns.unit_price"}


def test_a_column_under_an_odd_name_is_told_as_not_read(tmp_path: Path) -> None:
    header = [*NAMES[:6], "Person"]
    found = proposed(tmp_path, a=text([row[:7] for row in rows()], header))
    assert (value(found, "data.columns.customer_id"), found.notes) == (None, ("a.csv: not read: Person",))
    told = proposed(tmp_path, {"data.columns.customer_id": "Person"}, a=text([row[:7] for row in rows()], header))
    assert (value(told, "data.columns.customer_id"), told.notes) == ("Person", ())


def test_a_column_that_no_file_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"must have column 'Persons', as data\.columns\.customer_id is said to be"):
        proposed(tmp_path, {"data.columns.customer_id": "Persons"}, a=text(rows()))


def test_what_an_earlier_shop_needed_is_set_back(tmp_path: Path) -> None:
    found = proposed(tmp_path, a=text(rows()))
    assert (value(found, "data.thousands"), value(found, "shop.not_products")) == ("", None)


@pytest.mark.parametrize(
    ("quantities", "prices", "told"),
    [
        (["1", "12"], ["2.50", "3.5"], ("auto", "")),
        (["1", "12"], ["2,50", "3,5"], (",", "")),
        (["1", "1.000"], ["2,50", "3,5"], (",", ".")),
        (["1", "1,000"], ["2.50", "3.5"], (".", ",")),
        (["1", "1 000"], ["2,50", "3,5"], (",", " ")),
        (["1", "1'000"], ["2.50", "3.5"], ("auto", "'")),
        (["1", "2"], ["1.234.567", "5"], (",", ".")),
        (["1", "2"], ["1,234.50", "12,345"], (".", ",")),
        (["0.750", "2"], ["1.50", "2"], ("auto", "")),
        (["1", "1.000"], ["2.50", "3.5"], None),  # one, or a thousand in a file of another hand
        (["1", "2"], ["1.250", "3.500"], None),
        (["1", "2"], ["12,345", "3"], None),
        (["1,5", "2"], ["2.50", "3.5"], SourceError),
        (["1", "2"], ["2.50", "3,5"], SourceError),
    ],
)
def test_marks_are_told_asked_for_or_refused(
    quantities: list[str], prices: list[str], told: tuple[str, str] | type[Exception] | None, tmp_path: Path
) -> None:
    table = [[*row[:3], quantities[n % 7 == 6], row[4], prices[n % 5 == 4], *row[6:]] for n, row in enumerate(rows())]
    content = text(table, delimiter=";")
    if told is SourceError:
        with pytest.raises(SourceError, match="same marks"):
            proposed(tmp_path, a=content)
    elif told is None:
        assert asked(proposed(tmp_path, a=content)) == {"data.decimal"}
        (question,) = proposed(tmp_path, a=content).questions
        small, large = sorted(float(shown.rpartition(" is ")[2]) for _, shown in question.readings)
        assert large == pytest.approx(1000 * small), "both readings are shown, a thousand times apart"
    else:
        found = proposed(tmp_path, a=content)
        assert (value(found, "data.decimal"), value(found, "data.thousands"), found.questions) == (*told, ())


@pytest.mark.parametrize(
    ("when", "days", "told"),
    [
        ("%Y-%m-%d %H:%M:%S", 8, "ISO8601"),
        ("%Y-%m-%dT%H:%M:%SZ", 8, "ISO8601"),
        ("%d/%m/%Y %H:%M", 40, "%d/%m/%Y %H:%M"),
        ("%m/%d/%Y %I:%M %p", 40, "%m/%d/%Y %I:%M %p"),
        ("%d.%m.%Y, %H:%M", 40, "%d.%m.%Y, %H:%M"),
        ("%d %b %Y", 8, "%d %b %Y"),
        ("%B %d, %Y", 40, "%B %d, %Y"),
        ("%d/%m/%Y %H:%M", 8, None),
        ("%m-%d-%Y", 8, None),
        ("%d.%m.%y", 20, None),  # 13.01.25 is a day of 2025, or of 2013
        ("%Y%m%d%H%M", 40, "%Y%m%d%H%M"),
    ],
)
def test_the_order_of_day_and_month_is_proven_or_asked(when: str, days: int, told: str | None, tmp_path: Path) -> None:
    found = proposed(tmp_path, a=text(rows(days, when)))
    if told is None:
        assert asked(found) == {"date_order"}
        order = "mdy" if when.startswith("%m") else "dmy"
        chosen = proposed(tmp_path, {"date_order": order}, a=text(rows(days, when)))
        assert (value(chosen, "data.datetime_format"), value(chosen, "data.prove_date_order")) == (when, False)
    else:
        assert (value(found, "data.datetime_format"), value(found, "data.prove_date_order")) == (told, True)
        assert found.questions == ()


def test_dates_that_a_spreadsheet_half_turned_are_refused(tmp_path: Path) -> None:
    table = rows(8, "%d/%m/%Y") + rows(8, "%Y-%d-%m 00:00:00")
    with pytest.raises(SourceError, match=r"one way.* '2025-03-01 00:00:00 and 03/01/2025'"):
        proposed(tmp_path, a=text(table))


def test_another_file_proves_the_order_only_where_all_agree(tmp_path: Path) -> None:
    early, day, month = text(rows(8, "%d/%m/%Y")), text(rows(40, "%d/%m/%Y")), text(rows(40, "%m/%d/%Y"))
    assert proposed(tmp_path, a=early, b=day).questions == ()
    assert asked(proposed(tmp_path, a=early, b=day, c=month)) == {"date_order"}


def test_serial_numbers_and_offsets_are_told_as_such() -> None:
    assert [(r.format, r.days) for r in date_evidence(["45660.5", "45661"], TODAY).readings] == [
        ("excel", "2 days of 2025-01-03 to 2025-01-04")
    ]
    found = date_evidence(["2025-01-03 10:00:00 -0500", "2025-07-03T10:00:00+02:00"], TODAY)
    assert found.offsets == (-5.0, 2.0)


def test_letters_that_bytes_do_not_tell_are_asked_for(tmp_path: Path) -> None:
    table = [[*row[:2], "Käse", *row[3:]] for row in rows()]
    content = text(table).encode("cp1252")
    assert asked(proposed(tmp_path, a=content)) == {"data.encoding"}
    assert value(proposed(tmp_path, {"data.encoding": "cp1252"}, a=content), "data.encoding") == "cp1252"
    assert proposed(tmp_path, a=text(table).encode("utf-16")).questions == ()


@pytest.mark.parametrize(
    ("price", "header", "currency"),
    [
        ("{:.2f} €", "UnitPrice", "EUR"), ("£{:.2f}", "UnitPrice", "GBP"), ("{:.2f} CHF", "UnitPrice", "CHF"),
        ("{:.2f}", "Unit Price (EUR)", "EUR"), ("${:.2f}", "UnitPrice", None), ("{:.2f}", "UnitPrice", None),
    ],
)  # fmt: skip
def test_a_currency_is_told_by_its_sign_or_asked(price: str, header: str, currency: str | None, tmp_path: Path) -> None:
    names = [header if name == "UnitPrice" else name for name in NAMES]
    path = tmp_path / "a.csv"
    path.write_text(text(rows(price=price), names))
    data = SHIPPED.data
    found = propose(look_at(path, data, {}), data.missing, {}, TODAY)
    assert found.told.get("shop.currency", (None,))[0] == currency
    assert asked(found) == (set() if currency else {"shop.currency"})


def test_returns_and_fees_are_told_with_their_evidence(tmp_path: Path) -> None:
    table = rows()
    table[5] = [f"R{table[5][0]}", *table[5][1:3], -2, *table[5][4:]]
    table[9] = [table[9][0], "SHIPPING", "Shipping fee", 1, *table[9][4:]]
    table[11] = [table[11][0], "TIP", "Pen tip, fine", 1, *table[11][4:]]  # a product
    found = proposed(tmp_path, a=text([[*row[:3], *row[3:]] for row in table], [*NAMES[:7], "Land"]))
    assert value(found, "shop.cancellation_prefix") == "R"
    assert value(found, "shop.not_products") == ["SHIPPING", "TIP"] or value(found, "shop.not_products") == ["SHIPPING"]
    assert "Shipping fee" in found.told["shop.not_products"][1]


def test_files_of_two_layouts_each_have_their_settings(tmp_path: Path) -> None:
    german = ["Rechnungsnr", "Artikelnr", "Bezeichnung", "Menge", "Datum", "Einzelpreis", "Kundennr", "Land"]
    table = [[*row[:5], row[5].replace(".", ","), *row[6:]] for row in rows(40, "%d.%m.%Y %H:%M")]
    found = proposed(tmp_path, a=text(rows()), b=text(table, german, ";"))
    change = value(found, "data.files")["b.csv"]
    assert {"delimiter": ";", "decimal": ",", "datetime_format": "%d.%m.%Y %H:%M"}.items() <= change.items()
    assert change["columns"]["invoice"] == "Rechnungsnr"
    assert (value(found, "data.delimiter"), value(found, "data.datetime_format")) == (",", "ISO8601")


def test_files_of_every_kind_are_looked_at(tmp_path: Path) -> None:
    data, plain = SHIPPED.data, text(rows())
    book = openpyxl.Workbook()
    book.active.append(["Report of the shop"])
    book.create_sheet("Lines").append(NAMES)
    for row in rows():
        book["Lines"].append([*row[:4], dt.datetime.fromisoformat(row[4]), float(row[5]), *row[6:]])
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"Report,of,the,shop,,,,\r\n" + plain.encode()))
    (tmp_path / "a.csv").write_text("sep=;\r\n" + text(rows(), delimiter=";"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("x/a.tsv", text(rows(), delimiter="\t"))
    for file in sorted(tmp_path.iterdir()):
        (table,) = look_at(file, data, {})
        assert list(table.columns) == NAMES
        assert [str(cell) for cell in table.columns["InvoiceDate"]] == [row[4] for row in rows()]
        assert propose([table], data.missing, {"shop.currency": "EUR"}, TODAY).questions == ()


def test_single_quotes_are_told_and_apostrophes_are_none(tmp_path: Path) -> None:
    quoted = "\n".join(",".join(f"'{cell}'" for cell in row) for row in [NAMES, *rows()])
    assert value(proposed(tmp_path, a=quoted), "data.quote") == "'"
    some = [[*row[:2], ("THING", "'MUG, WHITE'")[n % 2], *row[3:]] for n, row in enumerate(rows())]
    minimal = "\n".join(",".join(map(str, row)) for row in [NAMES, *some])
    assert value(proposed(tmp_path, a=minimal), "data.quote") == "'"
    table = [[*row[:2], "'80s MUG, JOE'S", *row[3:]] for row in rows()]
    assert value(proposed(tmp_path, a=text(table)), "data.quote") == '"'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and one file in `shop/`."""
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/a.csv").write_text(text(rows(40, "%d.%m.%Y %H:%M"), [*NAMES[:7], "Land"], ";"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_asks_and_writes_nothing_without_a_terminal(project: Path) -> None:
    done = CliRunner().invoke(app, ["init", "shop"])
    assert done.exit_code == 1
    assert "--currency EUR" in done.stderr
    assert (project / "params.yaml").read_text() == PARAMS.read_text()


def test_init_writes_what_reads_the_files(project: Path) -> None:
    assert CliRunner().invoke(app, ["init", "shop", "--currency", "EUR", "--dry-run"]).exit_code == 0
    assert (project / "params.yaml").read_text() == PARAMS.read_text()
    done = CliRunner().invoke(app, ["init", "shop", "--currency", "EUR", "--set", "shop.sku_width=5"])
    assert (done.exit_code, done.exception) == (0, None)
    params = read_params()
    assert (params.data.path, params.shop.currency, params.data.columns.country) == ("shop", "EUR", "Land")
    lines = read_shop(params).cleaned.lines
    read = sorted(zip(lines["invoice"], lines["sku"], lines["quantity"], lines["unit_price"], strict=True))
    assert read == sorted((row[0], row[1], row[3], float(row[5])) for row in rows())
    assert "# file or folder" in (project / "params.yaml").read_text()  # comments stay


def test_init_refuses_settings_that_do_not_read(project: Path) -> None:
    done = CliRunner().invoke(app, ["init", "shop", "--currency", "EUR", "--set", "data.datetime_format=%Y/%m/%d"])
    assert "do not read the files" in done.stderr
    assert (project / "params.yaml").read_text() == PARAMS.read_text()


def test_check_tells_what_the_files_say(project: Path) -> None:
    assert CliRunner().invoke(app, ["init", "shop", "--currency", "EUR"]).exit_code == 0
    figures = profile(read_shop(read_params())).figures
    assert figures["days"] == "40 of 40, 2025-01-03 to 2025-02-11"
    assert figures["SKUs"] == "6"
    assert figures["unit price"].endswith("€2.50 to €7.50 (all)")
    done = CliRunner().invoke(app, ["check", "--data"])
    assert done.exit_code == 0
    assert "shop/a.csv: 2" in done.stdout


def test_check_warns_of_what_looks_odd(project: Path) -> None:
    table = rows(60)
    for row in table[::2]:
        row[6] = "99999"
    table[7][3] = 100_000
    table[8][2] = "CAFÃ©"
    table[9][1], table[10][1] = "A-0003", "POST"
    table += [[f"{60000 + n}", *table[20][1:]] for n in range(60)]
    (project / "shop/a.csv").write_text(text(table))
    assert CliRunner().invoke(app, ["init", "shop", "--currency", "EUR"]).exit_code == 0
    found = "\n".join(profile(read_shop(read_params())).warnings)
    for words in ("words for guests", "quantity 100,000", "CAFÃ©", "spelt in two ways", "POST may be fees", "62 lines"):
        assert words in found


def test_names_and_numbers_are_read_as_said() -> None:
    assert plain_name("Stückpreis (EUR) netto") == "stuckpreis"
    assert by_kind("unit_price", ["Total", "Unit price", "Purchase price", "Prix d'achat"]) == [["Unit price"]]
    assert by_kind("sku", ["Number of items", "Code barres", "Item no"]) == [["Item no"], ["Code barres"]]
    assert not by_kind("status", ["Payment type"])  # Credit is no cancellation there
    assert by_kind("invoiced_at", ["Purchase date", "Date d'achat"]) == [["Purchase date", "Date d'achat"]]
    assert as_number("(1.299,50 €)", ",", ".") == -1299.5
    assert number_evidence(["CUST0023", "12"]).share == 0.5
    assert set(REQUIRED).isdisjoint(OPTIONAL)
