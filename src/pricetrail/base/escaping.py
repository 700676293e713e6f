"""Text from data, branches and people as text: on a page, in Markdown, in a cell of CSV, on a terminal.

Every output that somebody opens takes its escaping from here, so that no other text is ever read as markup or formula.
"""

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 1_000  # characters of a text in Markdown or in a plot's data, where it is repeated for every point
FORMULA: Final = r"=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # a spreadsheet runs a cell that begins so; four are full width
_RUN_BY_A_SPREADSHEET: Final = re.compile(f"'*[{FORMULA}]")
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ENTITY: Final = re.compile(r"&(?=(?:amp|lt|gt);)|[<>]")  # a lone & is markup nowhere, and people read these cells
_WRITTEN: Final = re.compile(r"&(?:amp|lt|gt);")
_MARKS: Final = re.compile(
    r"([\\`*\[\]|~#!$]|&(?=#?\w+;)|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_]))"
)  # an underscore inside a word is one
_BLOCK: Final = re.compile(r"^([-+=>]|\d+(?=[.)](?:\s|$)))")  # what begins a list, a quote or a rule
_LINK: Final = re.compile(r"(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)
_MENTION: Final = re.compile(r"(@|#)(?=\w)")
APART: Final = "&#8203;"  # no width: what GitHub would link is no word any more


def html_text(text: str) -> str:
    """Text inside an element of HTML, or inside a label of Plotly, which reads it as HTML.

    >>> html_text("<b>M&S</b>")
    '&lt;b&gt;M&amp;S&lt;/b&gt;'
    """
    return html.escape(text, quote=False)


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
    line = _MARKS.sub(r"\\\1", seen(_short(" ".join(text.split()))))
    line = _LINK.sub(lambda found: f"\\{found[0]}", _MENTION.sub(rf"\1{APART}", line))
    return _BLOCK.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def csv_cell(text: str) -> str:
    """Text in a cell of CSV that no spreadsheet runs as a formula; a lone CR, which csv leaves bare, would end its row.

    >>> csv_cell("=1+1"), csv_cell("HEART")
    ("'=1+1", 'HEART')
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if _RUN_BY_A_SPREADSHEET.match(text) else text


def plot_cell(text: str) -> str:
    """The same in a plot's data, which DVC writes into a script of its page as it is: no tag can end or begin there.

    >>> plot_cell("=</script>"), plot_cell("guest & abroad"), plot_cell("&lt;")
    ("'=&lt;/script&gt;", 'guest & abroad', '&amp;lt;')
    """
    return csv_cell(_ENTITY.sub(lambda found: html.escape(found[0]), seen(_short(text))))


def read_plot_cell(cell: str) -> str:
    """The text of ``plot_cell``, as far as it is seen.

    >>> read_plot_cell("'=&lt;/script&gt;"), read_plot_cell("&amp;lt;")
    ('=</script>', '&lt;')
    """
    text = cell.removeprefix("'") if _RUN_BY_A_SPREADSHEET.match(cell) else cell
    return _WRITTEN.sub(lambda found: html.unescape(found[0]), text)


def own_policy(styles: Sequence[str], scripts: Sequence[str], **more: str) -> str:
    """A Content-Security-Policy under which a page's own styles and scripts work, and no others: nothing leaves it.

    Args:
        styles: contents of its style elements.
        scripts: contents of its script elements.
        more: further sources by directive, ``img_src="file:"``.
    """
    sources = {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    sources |= {"style-src": " ".join(map(_digest, styles)), "script-src": " ".join(map(_digest, scripts))}
    for name, source in more.items():
        directive = name.replace("_", "-")
        sources[directive] = f"{sources.get(directive, '')} {source}".strip()
    return "; ".join(f"{directive} {allowed}" for directive, allowed in sources.items())


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
