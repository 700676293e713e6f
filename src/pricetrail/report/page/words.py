"""Numbers and names as a reader wants them."""

from collections.abc import Mapping

MINUS = "\N{MINUS SIGN}"
NONE = "–"
NAMES: Mapping[str, str] = {
    "network": "Network",
    "lightgbm": "LightGBM",
    "elastic_net": "Elastic Net",
    "svr": "SVR",
    "customer_sku_median": "Median of customer and SKU",
    "sku_median": "Median of the SKU",
    "median": "Median of all lines",
    "truth_mod": "MOD of the truth",
    "prediction_mod": "MOD of the predictions",
    "added_disparity": "Added disparity",
    "mse_ratio": "Ratio of MSE",
}


def name(key: str) -> str:
    """A name for people.

    >>> name("elastic_net"), name("country_group")
    ('Elastic Net', 'country group')
    """
    return NAMES.get(key, key.replace("_", " "))


def number(value: float | None, digits: int = 4) -> str:
    """A figure with so many significant digits, thousands apart.

    >>> number(0.27066), number(12345.678, 6), number(-2.5), number(None)
    ('0.2707', '12,345.7', '−2.5', '–')
    """
    if value is None:
        return NONE
    shown = f"{value:.{digits}g}"
    if "e" in shown and abs(value) >= 1:
        shown = f"{value:.0f}"
    whole, dot, rest = shown.partition(".")
    if whole.lstrip("-").isdigit() and "e" not in shown:
        shown = f"{int(whole):,}{dot}{rest}" if whole != "-0" else shown
    return shown.replace("-", MINUS)


def fixed(value: float | None, decimals: int) -> str:
    """A figure with so many decimals, for columns that line up.

    >>> fixed(-0.02898, 4), fixed(1234.5, 1)
    ('−0.0290', '1,234.5')
    """
    return NONE if value is None else f"{value:,.{decimals}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """A change, with its sign.

    >>> signed(0.5), signed(-0.25), signed(0)
    ('+0.5', '−0.25', '0')
    """
    return number(value, digits) if value <= 0 else "+" + number(value, digits)


def signed_fixed(value: float | None, decimals: int) -> str:
    """The same with so many decimals; what rounds to zero has no sign.

    >>> signed_fixed(0.0176, 3), signed_fixed(-0.0003, 3)
    ('+0.018', '0.000')
    """
    shown = fixed(value, decimals)
    if value is None or not shown.strip(f"{MINUS}0."):
        return shown.lstrip(MINUS)
    return shown if value < 0 else f"+{shown}"


def percent(share: float | None, decimals: int = 0) -> str:
    """A share as percent.

    >>> percent(0.8022, 1), percent(-0.1)
    ('80.2%', '−10%')
    """
    return NONE if share is None else f"{fixed(100 * share, decimals)}%"


def count(many: float) -> str:
    """Whole things, thousands apart."""
    return f"{many:,.0f}"


def plural(many: int, one: str, more: str = "") -> str:
    """A number of things.

    >>> plural(1, "gate"), plural(3, "gate")
    ('1 gate', '3 gates')
    """
    return f"{many:,} {one if many == 1 else more or one + 's'}"


def between(low: float | None, high: float | None, decimals: int = 3) -> str:
    """The ends of an interval.

    >>> between(0.25, 0.2906)
    '0.250 to 0.291'
    """
    return NONE if low is None or high is None else f"{fixed(low, decimals)} to {fixed(high, decimals)}"


def sentence(text: str) -> str:
    r"""A reason as a sentence for people.

    >>> sentence("added_disparity is 0.2, must be <= 0.3")
    'Added disparity is 0.2, must be ≤\xa00.3.'
    """
    plain = (
        text.replace("<= ", "≤\N{NO-BREAK SPACE}").replace(">= ", "≥\N{NO-BREAK SPACE}").replace("_", " ").rstrip(".")
    )
    return plain[:1].upper() + plain[1:] + "." if plain else ""
