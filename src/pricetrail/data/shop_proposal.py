"""Section ``shop`` for files that were never read: currency, unit, fees, cancellations, each with its evidence."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from babel import Locale
from babel.core import get_global

from pricetrail.base.json_type import Json
from pricetrail.data.column_meaning import named_like
from pricetrail.data.column_proposal import CANCELLED
from pricetrail.data.number_evidence import as_number, number_evidence
from pricetrail.data.question import Question
from pricetrail.data.unseen_files import UnseenTable

_SIGNS: Final = {sign: code for code, sign in Locale("en").currency_symbols.items() if sign not in {"$", "¥", "¤"}} | {
    "US$": "USD",
    "zł": "PLN",
    "Kč": "CZK",
}
_SHARED: Final = {
    "$": ("USD", "CAD", "AUD", "NZD", "MXN"),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK"),
    "kr.": ("DKK",),
}
_FEE: Final = re.compile(
    r"(?i)post(?:age)?|dot|carriage|c2|shipping|shipment|delivery|versand(?:kosten)?|porto|lieferung|livraison|frais"
    r"|envio|verzending|spedizione|fees?|bank ?charges?|amazon(?:fee)?|discount|rabatt|remise|descuento|korting|sconto"
    r"|gift ?(?:card|voucher)?|gutschein|tip|trinkgeld|deposit|pfand|adjust\d*|manual|handling|surcharge|cruk"
)
_FEE_TEXT: Final = re.compile(
    r"(?i)\b(?:post(?:age)?|carriage|shipping|delivery|versand\w*|porto|livraison|frais|envio|verzend\w*|spedizione|fees?"
    r"|charges?|discount|rabatt|remise|descuento|korting|sconto|gift (?:card|voucher)|gutschein|tip|trinkgeld|deposit"
    r"|pfand|adjust\w*|manual|handling|surcharge|commission)\b"
)
_UNITS: Final = ("kg", "g", "m", "l", "lb", "oz", "ft", "cm", "ml")
_UCI: Final = (
    "invoiceno|invoice",
    "stockcode",
    "description",
    "quantity",
    "invoicedate",
    "unitprice|price",
    "customerid",
    "country",
)


@dataclass(frozen=True)
class ShopTable:
    """A table, its columns by our names, and its marks."""

    table: UnseenTable
    columns: Mapping[str, str | None]
    decimal: str
    thousands: str

    def values(self, ours: str) -> list[Any]:
        """Cells of one of our columns, all None where the table has none."""
        name = self.columns.get(ours)
        return [None] * len(self.table.rows) if name is None else self.table.values(name)

    def numbers(self, ours: str) -> list[float | None]:
        """The same, as numbers."""
        return [None if v is None else as_number(v, self.decimal, self.thousands) for v in self.values(ours)]


@dataclass(frozen=True)
class ShopProposal:
    """Settings of ``shop`` by dotted key, why, what is open, and what a person should know."""

    settings: Mapping[str, Json]
    evidence: Mapping[str, str]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]


def propose_shop(tables: Sequence[ShopTable], missing: frozenset[str], answers: Mapping[str, Any]) -> ShopProposal:
    """What a sale is in the shop of these tables.

    Args:
        tables: at least one.
        missing: lower-case words for nothing.
        answers: settings that a person gave, by dotted key.
    """
    lines = _lines(tables, missing)
    settings: dict[str, Json] = {"shop.preset": "generic"}
    evidence = {"shop.preset": "for all shops but the UCI's"}
    questions, notes = list[Question](), list[str]()
    _currency(tables, answers, settings, evidence, questions)
    _unit(tables, lines, settings, evidence)
    prefix = _prefix(lines)
    if prefix == "C" and _is_uci(tables, lines):
        settings["shop.preset"] = "uci"
        evidence["shop.preset"] = "the columns of UCI Online Retail, its C… for cancellations, its SKUs of five digits"
        settings |= {"shop.cancellation_prefix": None, "shop.not_products": None}
    else:
        settings["shop.cancellation_prefix"] = prefix or None
        if prefix:
            negative = int((lines["quantity"] < 0).sum())
            evidence["shop.cancellation_prefix"] = (
                f"all invoices {prefix}… are of quantities below 0 ({negative} lines)"
            )
        _fees(lines, settings, evidence, notes)
    _status(tables, settings, evidence, notes)
    _looks_like_totals(tables, lines, answers, questions)
    return ShopProposal(settings, evidence, tuple(questions), tuple(notes))


def _lines(tables: Sequence[ShopTable], missing: frozenset[str]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {name: each.values(name) for name in ("invoice", "sku", "description")}
            | {name: pd.Series(each.numbers(name), dtype="float64") for name in ("quantity", "unit_price")}
        )
        for each in tables
    ]
    lines = pd.concat(parts, ignore_index=True)
    for name in ("invoice", "sku", "description"):
        text = lines[name].map(lambda value: "" if value is None else str(value).strip())
        lines[name] = text.mask(text.str.lower().isin(missing), "")
    return lines


def _currency(
    tables: Sequence[ShopTable],
    answers: Mapping[str, Any],
    settings: dict[str, Json],
    evidence: dict[str, str],
    questions: list[Question],
) -> None:
    if "shop.currency" in answers:
        return
    told, codes = Counter[str](), get_global("all_currencies")
    for each in tables:
        told.update(number_evidence([v for v in each.values("unit_price") if v is not None]).signs)
        name = each.columns.get("unit_price") or ""
        told.update(
            {sign: 1 for sign in re.findall(r"[^\W\d_]+\.?|[€£$¥₹]", name) if sign.upper() in codes or sign in "€£$¥₹"}
        )
        for at in named_like("currency", each.table.header):
            told.update(str(value) for value in each.table.columns[at] if value is not None)
    known = {sign: _SIGNS.get(sign) or (sign.upper() if sign.upper() in codes else "") for sign in told}
    found = {code for code in known.values() if code}
    shared = [sign for sign in told if sign in _SHARED]
    if len(found) == 1 and not shared:
        sign = next(sign for sign, code in known.items() if code)
        settings["shop.currency"] = found.pop()
        evidence["shop.currency"] = f"{sign!r} in {told[sign]:,} prices or headers"
        return
    readings = tuple((code, "") for code in (_SHARED[shared[0]] if shared and not found else sorted(found)))
    text = "nothing in the files tells the currency"
    if shared or found:
        text = "the files tell several currencies: " + ", ".join(f"{sign} ({count:,})" for sign, count in told.items())
    if shared and not found:
        text = f"{shared[0]!r} is the sign of several currencies: which one?"
    questions.append(Question("shop.currency", text, readings, "--currency EUR"))


def _unit(
    tables: Sequence[ShopTable], lines: pd.DataFrame, settings: dict[str, Json], evidence: dict[str, str]
) -> None:
    parts = lines["quantity"][lines["quantity"].notna() & (lines["quantity"] % 1 != 0)]
    settings["shop.whole_units"] = False if len(parts) else None
    if len(parts):
        evidence["shop.whole_units"] = f"{len(parts):,} quantities have decimals, such as {parts.iloc[0]:g}"
    signs = Counter[str]()
    for each in tables:
        signs.update(number_evidence([v for v in each.values("quantity") if v is not None]).signs)
        words = re.split(r"[^a-z]+", str(each.columns.get("quantity")).lower())
        signs.update({word: len(lines) for word in words[1:] if word in _UNITS})
    if len(signs) == 1:
        settings["shop.unit"] = next(iter(signs))
        evidence["shop.unit"] = "it stands at the quantities"


def _prefix(lines: pd.DataFrame) -> str:
    """Letters before the invoice numbers of all lines below 0, and of no other line; empty where there are none."""
    below = lines["quantity"] < 0
    letters = lines["invoice"].str.extract(r"^([A-Za-z]{1,4})[-_ ]?\d")[0].fillna("")
    found = set(letters[below])
    if len(found) != 1 or "" in found:
        return ""
    prefix = str(found.pop())
    return "" if lines["invoice"][~below].str.upper().str.startswith(prefix.upper()).any() else prefix


def _is_uci(tables: Sequence[ShopTable], lines: pd.DataFrame) -> bool:
    for each in tables:
        plain = [name.lower().replace(" ", "") for name in each.table.header]
        if len(plain) != len(_UCI) or not all(re.fullmatch(a, b) for a, b in zip(_UCI, plain, strict=True)):
            return False
    coded = lines["sku"].str.match(r"[0-9]{5}")
    return bool(coded.mean() >= 0.9)  # noqa: PLR2004  the rest is what the preset drops, within its limit


def _fees(lines: pd.DataFrame, settings: dict[str, Json], evidence: dict[str, str], notes: list[str]) -> None:
    named = lines[lines["sku"].map(lambda sku: bool(_FEE.fullmatch(sku)))]
    text = named["description"]
    sure = text.map(lambda text: not text or bool(_FEE_TEXT.search(text)))
    fees = sorted(set(named["sku"][sure].str.upper()) - set(named["sku"][~sure].str.upper()))
    settings["shop.not_products"] = list(fees) or None
    if fees:
        evidence["shop.not_products"] = (
            f"{int(sure.sum()):,} lines, such as {text[sure].iloc[0] or fees[0]!r}: fees are no products"
        )
    open_ones = lines["sku"].map(lambda sku: not any(map(str.isdigit, sku)) and bool(sku)) & ~lines[
        "sku"
    ].str.upper().isin(fees)
    other = lines["description"].map(lambda text: bool(_FEE_TEXT.search(text))) & open_ones
    if other.any():
        codes = ", ".join(sorted(set(lines["sku"][other]))[:5])
        notes.append(f"kept as products, though they may be fees: {codes} (shop.not_products)")


def _status(tables: Sequence[ShopTable], settings: dict[str, Json], evidence: dict[str, str], notes: list[str]) -> None:
    words = Counter(str(v).strip() for each in tables for v in each.values("status") if v is not None)
    cancelled = sorted(word for word in words if CANCELLED.fullmatch(word))
    settings["shop.cancelled_status"] = list(cancelled)
    if cancelled:
        evidence["shop.cancelled_status"] = ", ".join(f"{word} ({words[word]:,} lines)" for word in cancelled)
        notes.append("kept by status: " + ", ".join(word for word in words if word not in cancelled))


def _looks_like_totals(
    tables: Sequence[ShopTable], lines: pd.DataFrame, answers: Mapping[str, Any], questions: list[Question]
) -> None:
    """Ask where the price grows with the quantity, SKU by SKU: then it is the total of the line."""
    if "data.columns.unit_price" in answers:
        return
    sales = lines[(lines["quantity"] > 0) & (lines["unit_price"] > 0)]
    sales = sales.assign(each=sales["unit_price"] / sales["quantity"])
    spread = sales.groupby("sku")[["quantity", "unit_price", "each"]].agg(lambda x: x.std() / x.mean())
    spread = spread[spread["quantity"] > 0.1]  # noqa: PLR2004  SKUs that sold in several quantities
    total = (spread["each"] < 0.5 * spread["unit_price"]).mean() if len(spread) else 0.0
    if total > 0.5:  # noqa: PLR2004
        name = tables[0].columns["unit_price"]
        text = f"{name!r} grows with the quantity, so it may be the total of a line: is it the price of one unit?"
        questions.append(
            Question("data.columns.unit_price", text, ((str(name), "yes"),), f"--column unit_price='{name}'")
        )
