"""What a column means, by its name in six languages: invoice, SKU, quantity, time, price, customer and so on."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_WORDS: Final = {  # by kind, without accents
    "order": "invoice invoices order ordered receipt transaction bill ticket basket check rechnung beleg bon kassenbon "
    "auftrag bestellung bestell vorgang facture commande pedido factura factuur bonnummer bestelling bestel fattura "
    "ordine scontrino document doc",
    "sale": "sale sold verkauf vente venta verkoop vendita",
    "buy": "purchase purchased kauf achat compra",  # of a customer where a day follows, of the shop where a price does
    "number": "no nr num number nummer numero n id code key cod codigo codice",
    "ref": "ref reference referenz referencia referentie",
    "goods": "product item article artikel material produkt produit articulo producto prodotto articolo variant "
    "lineitem goods",
    "line": "line row position zeile",
    "sku": "sku",
    "stock": "stock",
    "shelf": "plu upc asin art style",
    "barcode": "ean ean13 gtin barcode strichcode barres barras barre",
    "text": "description descr desc bezeichnung beschreibung designation libelle descripcion omschrijving descrizione",
    "words": "title text details",
    "name": "name naam nombre nome nom",
    "quantity": "quantity qty qte qta menge anzahl stuckzahl stueckzahl quantite cantidad cant aantal hoeveelheid "
    "quantita units pieces pcs unidades unites",
    "count": "count quantum items products",
    "date": "date datetime timestamp datum uhrzeit zeit fecha data tijd zeitpunkt time heure hora ora",
    "day": "day tag dag dato at on created paid",
    "utc": "utc",
    "stuck": "stuck stueck",
    "unit": "unit single piece einzel einheit unitaire unite unitario unidad eenheid stuk unita",
    "price": "price preis prix precio prijs prezzo",
    "rate": "each rate pu vk",
    "retail": "retail selling",
    "person": "customer client buyer member account kunde debitor cliente client klant shopper loyalty",
    "email": "email mail",
    "to": "shipping ship delivery liefer billing address",
    "country": "country land pays pais paese nation",
    "region": "region",
    "status": "status state statut estado stato",
    "type": "type typ tipo soort",  # Art is also one: it is taken for that of an article
    "payment": "financial payment zahlung",
    "event": "event record",
    "currency": "currency wahrung waehrung devise moneda valuta munt",
    "total": "total totale amount sum summe gesamt betrag montant importe bedrag importo umsatz revenue subtotal",
    "sales": "sales",
    "net": "net",
    "gross": "gross extended",
    "": "de d di del dell della du van of the la l per pro je a y et e to",  # says nothing
}
_KIND: Final = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_LONG, _WORD = ("|".join(word for word in sorted(_KIND, key=len, reverse=True) if len(word) >= n) for n in (4, 2))
_COMPOUND: Final = re.compile(rf"({_LONG})(?:s|n|en|ns)?({_WORD})")
_PLURAL: Final = re.compile(r"(?<=...)[sn]$")

_NUMBER, _ORDER = "(number|ref)", "(order|sale)"
# Each meaning: kinds of words in a row, best first; the first that matches any column tells.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "invoice": (f"{_NUMBER} {_ORDER}|{_ORDER} {_NUMBER}", f"(sales )?{_ORDER}", "name"),
    "sku": (
        f"(goods )?sku( {_NUMBER})?|stock number",
        f"{_NUMBER} goods|goods {_NUMBER}|shelf( number)?|ref",
        "(number )?barcode|goods",
    ),
    "description": ("(goods )?text|goods (name|words)|name goods", "goods|words|name"),
    "quantity": ("(goods |order )?quantity( order| sale)?|stuck", "(number )?count|number quantity"),
    "invoiced_at": (
        "(order|sale|buy) (date|day)( utc| order date)?|date (order|sale|buy)",
        "(date|day)( date| day| utc)*",
    ),
    "unit_price": (
        "(unit|stuck|goods) price|price (unit|stuck|goods|rate)",
        "price|rate|(sale|sales|retail|rate) price|price sale",
    ),
    "customer_id": (
        f"{_NUMBER} person|person {_NUMBER}",
        "person",
        "(person )?(email|number email)( to)*|person name|name person",
    ),
    "country": ("(person )?country( region| number| name)?", "(to )+country( number)?|country( number)? to|region"),
    "status": ("((order|payment|goods|line) )*status|((order|sale|line|event) )?type|order shelf",),
    "currency": ("(order )?currency( number)?",),
    "line_total": ("net sales", "((order|goods|line) )*total( price| line)?|sales|gross sales|gross price"),
}
TOTALS: Final = "line_total"
_ASIDE: Final = (  # what a name says of tax, currency and unit
    r"\b(?:net|netto|ht|gross|brutto|ttc|incl?|excl?|including|excluding|inkl|exkl|zzgl|of|vat|tax|mwst|ust|btw|iva"
    r"|tva|in|eur|euros?|usd|gbp|chf|sek|nok|dkk|pln|czk|aud|cad|nzd|jpy|cny|inr|kg|g|st|stk|pcs)\b"
)


def plain_name(name: str) -> str:
    """A header without case, accents, signs and what it says of tax, currency and unit.

    >>> [plain_name(name) for name in ("UnitPrice", "N° de facture", "Stückpreis (EUR) netto", "customer_ID")]
    ['unit price', 'n de facture', 'stuckpreis', 'customer id']
    """
    text = re.sub("[º°ª]", " ", name).replace("ß", "ss")
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    text = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    short = " ".join(re.sub(_ASIDE, " ", text).split())
    return short if short and text != short and not text.startswith("date") else text


def _kinds(name: str) -> str:
    """The kinds of the words of a name, with compounds taken apart; `?` for a word that is not known."""
    kinds = list[str]()
    for word in plain_name(name).split():
        compound = _COMPOUND.fullmatch(word)
        known = [each for each in (word, _PLURAL.sub("", word)) if each in _KIND][:1]
        kinds += [_KIND.get(part, "?") for part in known or (compound.groups() if compound else [word])]
    return " ".join(filter(None, kinds))


def by_kind(meaning: str, header: Iterable[str]) -> list[list[str]]:
    """Columns whose name has this meaning, by kind of name, best first; kinds without columns are left out."""
    told = {name: _kinds(name) for name in header}
    kinds = [[name for name, words in told.items() if re.fullmatch(kind, words)] for kind in _NAMES[meaning]]
    return [kind for kind in kinds if kind]


def meanings(header: Iterable[str]) -> int:
    """How many of the columns that a shop needs have names that tell them."""
    needed = ("invoice", "sku", "quantity", "invoiced_at", "unit_price", "description", "customer_id", TOTALS)
    return len({tuple(found[0]) for meaning in needed if (found := by_kind(meaning, header))})
