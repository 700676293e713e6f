"""A model card's Markdown as one page that needs no other file."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token


def card_page(markdown: str, template: str) -> str:
    """The page.

    Args:
        markdown: a card without its header.
        template: Jinja text of the HTML around it; gets ``title``, ``contents`` (id and text of each h2) and ``body``.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    headings = list(_with_anchors(tokens))
    environment = Environment(undefined=StrictUndefined, autoescape=True, keep_trailing_newline=True)
    page: str = environment.from_string(template).render(
        title=next((text for tag, _, text in headings if tag == "h1"), "Model card"),
        contents=[(anchor, text) for tag, anchor, text in headings if tag == "h2"],
        body=parser.renderer.render(_with_table_roles(tokens), parser.options, {}),  # markdown-it escaped all text
    )
    return page


def anchor_of(heading: str) -> str:
    """The id of a heading, as GitHub makes it.

    >>> anchor_of("3. Monitoring, functioning and control")
    '3-monitoring-functioning-and-control'
    """
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


def _with_anchors(tokens: Sequence[Token]) -> Iterator[tuple[str, str, str]]:
    """Tag, id and text of each heading, which gets its id; a name that stands twice gets a number, as on GitHub."""
    times: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = "".join(child.content for child in tokens[place + 1].children or [])
            anchor = anchor_of(text)
            times[anchor] = times.get(anchor, -1) + 1
            unique = f"{anchor}-{times[anchor]}" if times[anchor] else anchor
            token.attrSet("id", unique)
            yield token.tag, unique, text


def _with_table_roles(tokens: Sequence[Token]) -> list[Token]:
    """Column and row headers marked as such, and each table in a box that scrolls, also by keyboard."""
    out: list[Token] = []
    heading, first = "", False
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[place + 1].content
        if token.type == "table_open":
            out.append(_raw(f'<div class="scroll" role="group" tabindex="0" aria-label="Table: {_text(heading)}">\n'))
        if token.type == "tr_open":
            first = True
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.type in {"td_open", "td_close"} and first:
            token.tag, first = "th", token.type == "td_open"
            if first:
                token.attrSet("scope", "row")
        out.append(token)
        if token.type == "table_close":
            out.append(_raw("</div>\n"))
    return out


def _raw(text: str) -> Token:
    return Token("html_block", "", 0, content=text)


def _text(markdown: str) -> str:
    return html.escape(re.sub(r"\\(\W)", r"\1", markdown))
