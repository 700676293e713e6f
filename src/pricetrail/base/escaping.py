"""Text from data, branches and people as text: on a page, in Markdown, in a cell of CSV, on a terminal.

Every output that somebody opens takes its escaping from here, so that no other text is ever read as markup or formula.
"""

import html
import re
from typing import Final

LONGEST_CELL: Final = 1_000  # characters of a cell in a plot's data; a page repeats it for every point
_FORMULA: Final = (
    "=+\\-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_RUN_BY_A_SPREADSHEET: Final = re.compile(f"'*[{_FORMULA}]")
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ENTITY: Final = re.compile(r"&(?=(?:amp|lt|gt);)|[<>]")  # a lone & is markup nowhere, and people read these cells
_WRITTEN: Final = re.compile(r"&(?:amp|lt|gt);")
_MARKS: Final = re.compile(r"([\\`*\[\]|~&#!$]|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_]))")  # an underscore inside a word is one
_BLOCK: Final = re.compile(r"^([-+=>]|\d+(?=[.)](?:\s|$)))")  # what begins a list, a quote or a rule
_LINK: Final = re.compile(r"(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)
_MENTION: Final = re.compile(r"(@|#)(?=\w)")
APART: Final = "&#8203;"  # no width: what GitHub would link is no word any more


def html_text(text: str) -> str:
    """Text inside an element or a quoted attribute of HTML.

    >>> html_text('<a href="x">&')
    '&lt;a href=&quot;x&quot;&gt;&amp;'
    """
    return html.escape(text)


def seen(text: str) -> str:
    r"""Text in which nothing works unseen: no control character of a terminal, no order of letters turned round.

    >>> seen("\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe")
    '\ufffd[2J\ufffdgnp.exe'
    """
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def markdown_text(text: str) -> str:
    r"""Text in one line that no reader of Markdown takes for markup, and GitHub for no link, mention or number.

    >>> markdown_text("added_disparity is 0.2,\n *not* <= 0.1"), markdown_text("@ada, www.a.b")
    ('added_disparity is 0.2, \\*not\\* <= 0.1', '@&#8203;ada, www\\.a.b')
    """
    line = _MARKS.sub(r"\\\1", seen(" ".join(text.split())))
    line = _LINK.sub(lambda found: f"\\{found[0]}", _MENTION.sub(rf"\1{APART}", line))
    return _BLOCK.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def csv_cell(text: str) -> str:
    """Text in a cell of CSV that no spreadsheet runs as a formula.

    >>> csv_cell("=1+1"), csv_cell("HEART")
    ("'=1+1", 'HEART')
    """
    return f"'{text}" if _RUN_BY_A_SPREADSHEET.match(text) else text


def plot_cell(text: str) -> str:
    """The same in a plot's data, which DVC writes into a script of its page as it is: no tag can end or begin there.

    >>> plot_cell("=</script>"), plot_cell("guest & abroad"), plot_cell("&lt;")
    ("'=&lt;/script&gt;", 'guest & abroad', '&amp;lt;')
    """
    short = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
    return csv_cell(_ENTITY.sub(lambda found: html.escape(found[0]), short))


def read_plot_cell(cell: str) -> str:
    """The text of ``plot_cell``.

    >>> read_plot_cell("'=&lt;/script&gt;"), read_plot_cell("&amp;lt;")
    ('=</script>', '&lt;')
    """
    text = cell.removeprefix("'") if _RUN_BY_A_SPREADSHEET.match(cell) else cell
    return _WRITTEN.sub(lambda found: html.unescape(found[0]), text)
