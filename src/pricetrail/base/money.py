"""Amounts of the shop's currency, as people write them."""

from typing import Final

from babel.numbers import format_currency

LOCALE: Final = "en"


def money(amount: float, currency: str) -> str:
    """An amount with the sign and the decimals of its currency.

    Args:
        amount: in the currency.
        currency: ISO 4217.

    >>> money(1234.5, "GBP"), money(1234.5, "EUR"), money(1234.5, "JPY")
    ('£1,234.50', '€1,234.50', '¥1,234')
    """
    return format_currency(amount, currency, locale=LOCALE)
