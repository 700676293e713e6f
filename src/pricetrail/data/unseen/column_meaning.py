"""What a column means, by its name in six languages: invoice, SKU, quantity, time, price, customer and so on."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_NUM: Final = r"(?:no|nr|num|number|nummer|numero|n|id|code|ref|reference|referenz|key)"
_OF: Final = rf"(?:(?:{_NUM[3:-1]}|cod|codigo|codice|referencia) (?:de |d |del |della |dell |du |of )?)"


def _code(words: str) -> str:
    """A word with what says that it is a number: Order ID, Rechnungsnr, numéro de facture."""
    return rf"(?:{_OF}(?:{words})|(?:{words}) ?{_NUM})"


_ORDERS: Final = (
    "invoice|invoices|order|sales order|receipt|transaction|sale|bill|ticket|basket|check|rechnungs?|rechnung|beleg|bon"
    "|kassenbon|auftrags?|auftrag|bestell(?:ung|ungs)?|facture|commande|pedido|factura|venta|factuur|bestel(?:ling)?"
    "|bon|fattura|ordine|scontrino|document|doc|vorgangs?"
)
_GOODS: Final = (
    "product|item|stock|article|artikel|material|produkt|produit|articulo|producto|prodotto|articolo|variant|lineitem"
)
_PEOPLE: Final = (
    "customer|client|buyer|member|account|kunden?|kunde|debitor(?:en)?|cliente?|klant(?:en)?|shopper|loyalty"
)
_WHEN: Final = (
    "date|datetime|date time|timestamp|time stamp|datum|uhrzeit|zeit|fecha|data|tijd|zeitpunkt|datetime utc|date utc"
)

# Each meaning: patterns of names, best first; the first that matches any column tells.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "invoice": (_code(_ORDERS), rf"{_ORDERS}", "name"),
    "sku": (
        rf"(?:lineitem |item |product |variant )?sku(?: {_NUM})?|stock ?code",
        rf"{_code(_GOODS)}|plu|upc|asin|art ?nr|art ?no|artnr|style|referencia|reference|referentie|ref",
        rf"(?:ean|gtin|barcode|strichcode|code barres?|codigo de barras|codice a barre)(?: ?1[34])?|{_GOODS}|goods",
    ),
    "description": (
        rf"(?:{_GOODS})? ?(?:description|descr|desc|bezeichnung|beschreibung|designation|libelle|descripcion"
        rf"|omschrijving|descrizione)|(?:{_GOODS}|artikel)(?:s)? ?(?:name|title|naam|nombre|nome|nom|text)"
        rf"|(?:nom|nombre|nome)(?: del?| dell| du)? (?:{_GOODS})",
        rf"{_GOODS}|title|name|details|text|goods",
    ),
    "quantity": (
        r"(?:lineitem |item |order |ordered )?(?:quantity|qty|qte|qta)(?: ordered| sold)?|menge|anzahl|stuck(?:zahl)?"
        r"|stueck(?:zahl)?|quantite|cantidad|cant|aantal|hoeveelheid|quantita|units(?: sold)?|pieces|pcs|unidades"
        r"|unites",
        r"count|number of (?:items|units)|quantum",
    ),
    "invoiced_at": (
        rf"(?:{_ORDERS}|sold|purchase|purchased|kauf|verkaufs?|achat|compra) ?(?:{_WHEN}|at|on)"
        rf"|(?:date|datum|fecha|data) (?:de |della |del |d |van )?(?:la |l )?(?:{_ORDERS}|achat|vente|compra|verkoop)"
        r"|rechnungsdatum|belegdatum|bestelldatum|auftragsdatum|kaufdatum|verkaufsdatum|factuurdatum|besteldatum"
        r"|orderdatum",
        rf"{_WHEN}|day|tag|dag|date heure|date et heure|datum uhrzeit|fecha hora|fecha y hora|data ora|created at"
        rf"|created"
        r"|paid at|time|dato",
    ),
    "unit_price": (
        r"(?:unit|item|lineitem|single|piece|each) ?price|price (?:per|a|each|for one) ?(?:unit|item|piece|each)?"
        r"|einzel ?preis|stuck ?preis|stueck ?preis|einheits ?preis|preis (?:pro|je) (?:stuck|stueck|einheit)"
        r"|prix unitaire|prix (?:a l )?unite|pu|precio (?:unitario|unidad|por unidad)|(?:eenheids|stuks) ?prijs"
        r"|prijs per (?:stuk|eenheid)|prezzo unitario|prezzo (?:per|a) unita",
        r"price|preis|prix|precio|prijs|prezzo|each|rate|(?:sale|sales|selling|retail) price|verkaufs ?preis"
        r"|vk ?preis|vk"
        r"|prix de vente|precio (?:de )?venta|verkoop ?prijs|prezzo (?:di )?vendita",
    ),
    "customer_id": (
        rf"{_code(_PEOPLE)}|(?:kunden|klant) ?(?:nr|nummer|id)",
        _PEOPLE,
        rf"(?:{_PEOPLE})? ?e ?mail(?: address)?(?: billing)?|email billing|(?:{_PEOPLE}) name|name (?:{_PEOPLE})",
    ),
    "country": (
        r"country(?: region| code| name)?|land|pays|pais|paese|nation|kundenland|customer country",
        r"(?:shipping|ship to|delivery|liefer|billing|bill to) ?(?:country|land)(?: code)?|country(?: code)? \w+"
        r"|region",
    ),
    "status": (
        r"(?:order |financial |payment |invoice |line ?item |bestell|auftrags?|zahlungs)?status|state|statut"
        r"|estado|stato"
        r"|(?:event|order|transaction|document|line|sale|invoice|record) type|type|typ|belegart|vorgangsart|typ?e"
        r"|tipo|soort",
    ),
    "currency": (r"(?:order |invoice )?(?:currency|currency code|wahrung|waehrung|devise|moneda|valuta|munt)",),
    "line_total": (
        r"net sales",
        r"(?:line|item|order item|lineitem|row|position|zeilen|positions) ?(?:total|amount|sum|summe)"
        r"|gesamt ?preis|sales"
        r"|total(?: price)?|amount|betrag|montant|importe|bedrag|importo|summe|umsatz|revenue|line ?total|totale?"
        r"|gross sales|extended price|subtotal",
    ),
}
TOTALS: Final = "line_total"
_WAYS: Final = (
    r"\b(?:net|netto|ht|gross|brutto|ttc|incl?|excl?|including|excluding|inkl|exkl|zzgl|of|vat|tax|mwst|ust|btw|iva"
    r"|tva|in)\b"
)
_MONEY: Final = r"\b(?:eur|euros?|usd|gbp|chf|sek|nok|dkk|pln|czk|aud|cad|nzd|jpy|cny|inr|kg|g|st|stk|pcs)\b"


def plain_name(name: str) -> str:
    """A header without case, accents, signs and what it says of tax, currency and unit.

    >>> [plain_name(name) for name in ("UnitPrice", "N° de facture", "Stückpreis (EUR) netto", "customer_ID")]
    ['unit price', 'n de facture', 'stuckpreis', 'customer id']
    """
    text = re.sub("[º°ª]", " ", name).replace("ß", "ss")
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    text = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    short = " ".join(re.sub(_MONEY, " ", re.sub(_WAYS, " ", text)).split())
    return short if short and text != short and not text.startswith("date") else text


def by_kind(meaning: str, header: Iterable[str]) -> list[list[str]]:
    """Columns whose name has this meaning, by kind of name, best first; kinds without columns are left out."""
    plain = {name: plain_name(name) for name in header}
    kinds = [[name for name, text in plain.items() if re.fullmatch(kind, text)] for kind in _NAMES[meaning]]
    return [kind for kind in kinds if kind]


def meanings(header: Iterable[str]) -> int:
    """How many of the columns that a shop needs have names that tell them."""
    needed = ("invoice", "sku", "quantity", "invoiced_at", "unit_price", "description", "customer_id", TOTALS)
    return len({tuple(found[0]) for meaning in needed if (found := by_kind(meaning, header))})
