"""Section ``shop`` for files that were never read: currency, unit, fees, cancellations, each with its evidence."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
from babel import Locale
from babel.core import get_global

from pricetrail.base.json_type import Json
from pricetrail.data.unseen.column_meaning import by_kind
from pricetrail.data.unseen.columns import CANCELLED, present
from pricetrail.data.unseen.number_evidence import as_number, number_evidence
from pricetrail.data.unseen.unseen_files import Question, UnseenTable

Told = dict[str, tuple[Json, str]]  # a value and its evidence by setting
Part = tuple[UnseenTable, Mapping[str, str | None], str, str]  # its columns by our names; decimal and thousands mark
_OURS: Final = ("invoice", "sku", "description", "quantity", "unit_price", "status")
_SHARED: Final = {"$": "USD CAD AUD NZD MXN", "¥": "JPY CNY", "kr": "SEK NOK DKK ISK", "kr.": "DKK NOK SEK"}
_SIGNS: Final = {sign: code for code, sign in Locale("en").currency_symbols.items() if sign not in {*_SHARED, "¤"}} | {
    **{"US$": "USD", "zł": "PLN", "Kč": "CZK"}
}
_USUAL: Final = ("EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "AUD", "CAD", "NZD", "JPY")
_FEE_WORDS: Final = (
    r"post(?:age)?|carriage|shipping|shipment|delivery|versand(?:kosten)?|porto|lieferung|livraison|frais|envio|verzending"
    r"|spedizione|fees?|charges?|discount|rabatt|remise|descuento|korting|sconto|gift (?:card|voucher)|gutschein|tip"
    r"|trinkgeld|deposit|pfand|adjust\w*|manual|handling|surcharge|commission"
)
FEE: Final = re.compile(rf"(?i){_FEE_WORDS}|dot|c2|m|bank ?charges|amazonfee|cruk")
_FEE_TEXT: Final = re.compile(rf"(?i)^$|\b(?:{_FEE_WORDS})\b")
_UNITS: Final = ("kg", "g", "m", "l", "lb", "oz", "ft", "cm", "ml")
_UCI: Final = "invoice(no)? stockcode description quantity invoicedate (unit)?price customerid country"


def propose_shop(
    tables: Sequence[Part], missing: frozenset[str], answers: Mapping[str, Any]
) -> tuple[Told, list[Question]]:
    """What a sale is in the shop of some tables.

    Args:
        tables: each with its columns by our names, its decimal mark and its mark between thousands.
        missing: lower-case words for nothing.
        answers: settings that a person gave, by dotted key.

    Returns:
        Settings with their evidence, and what must be asked.
    """
    lines = pd.concat([_lines(*table, missing) for table in tables], ignore_index=True)
    told: Told = {"shop.preset": ("generic", "its SKUs are any codes")}
    questions = _currency(tables, told) if "shop.currency" not in answers else []
    parts = lines["quantity"][lines["quantity"] % 1 > 0]
    if len(parts):
        told["shop.whole_units"] = (False, f"{len(parts):,} quantities have decimals, such as {parts.iloc[0]:g}")
    units = Counter(unit for table, columns, _, _ in tables for unit in _units(table, columns))
    if len(units) == 1:
        told["shop.unit"] = (next(iter(units)), "it stands at the quantities")
    _sales(tables, lines, told)
    if not {"data.columns.unit_price", "data.columns.line_total"} & answers.keys() and _grows(lines):
        name = str(tables[0][1]["unit_price"])
        text = f"{name!r} grows with the quantity, so it may be the total of a line: is it the price of one unit?"
        option = f"--column unit_price='{name}', or --column line_total='{name}'"
        questions.append(Question("data.columns.unit_price", text, ((name, "yes"),), option))
    return told, questions


def _sales(tables: Sequence[Part], lines: pd.DataFrame, told: Told) -> None:
    """Preset, cancellations and fees."""
    prefix, below = _prefix(lines), int((lines["quantity"] < 0).sum())
    headers = [" ".join(name.lower().replace(" ", "") for name in table.columns) for table, *_ in tables]
    if (
        all(re.fullmatch(_UCI, header) for header in headers)
        and prefix == "C"
        and lines["sku"].str.match(r"[0-9]{5}").mean() >= 0.9
    ):
        told["shop.preset"] = ("uci", f"columns and SKUs of UCI Online Retail; {below:,} lines below 0, all in C…")
    else:
        if prefix:
            told["shop.cancellation_prefix"] = (prefix, f"all {below:,} lines below 0, and no other, are in {prefix}…")
        fees = lines["sku"].str.fullmatch(FEE) & lines["description"].str.contains(_FEE_TEXT)
        if codes := sorted(set(lines["sku"][fees]) - set(lines["sku"][~fees])):
            text = lines["description"][fees].iloc[0]
            told["shop.not_products"] = (list(codes), f"{int(fees.sum()):,} lines, such as {text or codes[0]!r}")
    words = lines["status"].value_counts().drop("", errors="ignore")
    cancelled = [word for word in words.index if CANCELLED.fullmatch(word)]
    if cancelled:
        kept = ", ".join(word for word in words.index if word not in cancelled)
        told["shop.cancelled_status"] = (list(cancelled), f"{words[cancelled].sum():,} lines; kept are those of {kept}")


def _lines(
    table: UnseenTable, columns: Mapping[str, str | None], decimal: str, thousands: str, missing: frozenset[str]
) -> pd.DataFrame:
    rows = len(next(iter(table.columns.values())))
    cells = {ours: table.columns[name] if (name := columns[ours]) else [None] * rows for ours in _OURS}
    return pd.DataFrame(
        {
            ours: pd.Series([as_number(value, decimal, thousands) for value in values], dtype="float64")
            if ours in {"quantity", "unit_price"}
            else pd.Series([str(value) if present([value], missing) else "" for value in values], dtype="str")
            for ours, values in cells.items()
        }
    )


def _currency(tables: Sequence[Part], told: Told) -> list[Question]:
    signs, codes = Counter[str](), get_global("all_currencies")
    for table, columns, *_ in tables:
        if name := columns["unit_price"]:
            signs += number_evidence(value for value in table.columns[name] if value is not None).signs
            words = re.findall(r"[^\W\d_]+|[€£$¥₹]", name)
            signs.update(word for word in words if word in codes or word.upper() in _USUAL or word in "€£$¥₹")
        for other in (name for kind in by_kind("currency", table.columns) for name in kind):
            signs.update(str(value) for value in table.columns[other] if value is not None)
    found = {_SIGNS.get(sign) or (sign.upper() if sign.upper() in codes else "") for sign in signs} - {""}
    shared = [sign for sign in signs if sign in _SHARED]
    if len(found) == 1 and all(found <= set(_SHARED[sign].split()) for sign in shared):
        evidence = ", ".join(f"{sign!r} at {count:,} prices" for sign, count in signs.items())
        told["shop.currency"] = (found.pop(), evidence)
        return []
    likely = _SHARED[shared[0]].split() if shared and not found else sorted(found)
    seen = f"the prices are in {', '.join(signs)}" if signs else "nothing in the files tells the currency"
    readings = tuple((code, "") for code in likely)
    return [Question("shop.currency", f"{seen}: which is it?", readings, f"--currency {[*likely, 'EUR'][0]}")]


def _units(table: UnseenTable, columns: Mapping[str, str | None]) -> set[str]:
    name = columns["quantity"]
    signs = number_evidence(value for value in table.columns[name] if value is not None).signs if name else ()
    return {*signs, *(word for word in re.split(r"[^a-z]+", str(name).lower())[1:] if word in _UNITS)}


def _prefix(lines: pd.DataFrame) -> str:
    """Letters before the invoice numbers of all lines below 0, and of no other line; empty where there are none."""
    below = lines["quantity"] < 0
    found = set(lines["invoice"][below].str.extract(r"^([A-Za-z]{1,4})[-_ ]?\d")[0].fillna(""))
    prefix = str(found.pop()) if len(found) == 1 else ""
    return "" if lines["invoice"][~below].str.upper().str.startswith(prefix.upper()).any() else prefix


def _grows(lines: pd.DataFrame) -> bool:
    """Whether the price of most SKUs grows with the quantity, as the total of a line does."""
    sales = lines[(lines["quantity"] > 0) & (lines["unit_price"] > 0)]
    sales = sales.assign(each=sales["unit_price"] / sales["quantity"])
    groups = sales.groupby("sku")[["quantity", "unit_price", "each"]]
    spread = groups.std() / groups.mean()
    spread = spread[spread["quantity"] > 0.1]
    return len(spread) > 0 and (2 * spread["each"] < spread["unit_price"]).mean() > 0.5
