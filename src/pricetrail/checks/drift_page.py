"""Evidently's page without what is the same on every page: its library and its font go to files beside it.

They are 3.7 of its 3.9 MB. As files of their own they are stored and pushed once, and not with every run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pricetrail.base.escaping import own_policy

ASSETS: Final = "drift_assets"  # the folder beside the page
_BLOCK: Final = r"<{tag}>(.*?)</{tag}>"
_VARIABLE: Final = re.compile(r"(?m)^ *var \w+ = .*;$")  # a line of JSON, in which < stands inside of strings only
_RANDOM_ID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True)
class Page:
    """A page that opens offline.

    Attributes:
        html: refers to its assets by ``drift_assets/<name>``.
        assets: what it loads, by file name.
    """

    html: str
    assets: Mapping[str, str]


def split_page(html: str) -> Page:
    """Take the longest script and the longest style out of Evidently's page, and number its random ids.

    What is left gets a Content-Security-Policy: its own scripts run, and nothing is asked for but the files beside it.
    """
    html = _VARIABLE.sub(lambda found: found[0].replace("<", r"\u003c"), html)
    html, script = _taken_out(html, "script", f'<script src="{ASSETS}/evidently.js"></script>')
    html, style = _taken_out(html, "style", f'<link rel="stylesheet" href="{ASSETS}/evidently.css">')
    html = without_random_ids(html)
    own = re.findall(_BLOCK.format(tag="script"), html, re.DOTALL)
    policy = own_policy([], own, script_src="file:", style_src="file: 'unsafe-inline'", font_src="data:")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return Page(html.replace("<head>", f"<head>{meta}", 1), {"evidently.js": script, "evidently.css": style})


def _taken_out(html: str, tag: str, reference: str) -> tuple[str, str]:
    """The page with a reference in place of its longest block of a tag, and the content of that block."""
    blocks = re.finditer(_BLOCK.format(tag=tag), html, re.DOTALL)
    block = max(blocks, key=lambda found: len(found[1]))
    return f"{html[: block.start()]}{reference}{html[block.end() :]}", block[1]


def without_random_ids(html: str) -> str:
    """Evidently's page with its random ids numbered in order of appearance, so that equal figures give equal bytes.

    Some of them are part of a name in JavaScript, so they stay letters and digits.
    """
    numbers: dict[str, str] = {}
    return _RANDOM_ID.sub(lambda match: numbers.setdefault(match.group(), f"id{len(numbers):030d}"), html)
