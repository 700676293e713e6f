"""Any text comes back as text from a page, from Markdown and from a script of a plot; the oracles are other parsers."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pricetrail.base.escaping import (
    LONGEST,
    csv_cell,
    html_text,
    markdown_text,
    own_policy,
    plot_cell,
    read_plot_cell,
    seen,
)
from pricetrail.base.files import csv_bytes
from support.hostile import TEXTS, Reader

MARKS = st.text("|\\`*_<>&;[]()!#~$-+=\"'a1 .:/@{}ltgampw\t\n")
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r")) | MARKS
SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # OWASP, "CSV Injection"
LINKED = re.compile(r"(?<!\w)@\w|(?<!\w)#\d|https?://|\bwww\.\w", re.IGNORECASE)  # by GitHub, in what is shown
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@given(TEXT)
def test_any_text_is_text_inside_an_element(text: str) -> None:
    read = Reader(f"<p>{html_text(text)}</p>")
    assert read.tags == ["p"]
    assert "".join(read.text) == text


@given(TEXT)
def test_any_text_is_one_value_in_a_plots_script(text: str) -> None:
    """As DVC writes it: the cell of the CSV, by ``json.dumps``, into a script."""
    cells = list(csv.DictReader(io.StringIO(csv_bytes(pd.DataFrame({"sku": [text], "n": [1.5]})).decode(), newline="")))
    read = Reader(f"<script>var spec = {json.dumps(cells)};</script><p>after</p>")
    assert read.tags == ["script", "p"]
    (row,) = json.loads("".join(read.scripts).removeprefix("var spec = ").removesuffix(";"))
    assert read_plot_cell(row["sku"]) == seen(text)
    assert row["n"] == "1.5"


@given(TEXT | st.sampled_from(SPREADSHEET).flatmap(lambda mark: MARKS.map(lambda text: mark + text)))
def test_no_cell_is_a_formula_and_each_can_be_read_back(text: str) -> None:
    for cell in (csv_cell(text), plot_cell(text)):
        assert not cell.startswith(SPREADSHEET)
    assert read_plot_cell(plot_cell(text)) == seen(text)


@given(TEXT)
def test_any_text_is_text_in_markdown(text: str) -> None:
    written = markdown_text(text)
    read = Reader(MARKDOWN.render(written))
    assert set(read.tags) <= {"p"}
    shown = "".join(read.text).replace("\N{ZERO WIDTH SPACE}", "").strip("\n")
    assert shown == seen(" ".join(text.replace("\N{ZERO WIDTH SPACE}", "").split()))
    assert "\n" not in written


@pytest.mark.attack
@pytest.mark.parametrize("text", ["@octocat", "see #12", "https://evil.example", "www.evil.example", "(@octocat/all)"])
def test_github_links_and_calls_nobody(text: str) -> None:
    written = markdown_text(text)
    assert LINKED.search(text)
    assert not LINKED.search(written.replace("&#8203;", "\N{ZERO WIDTH SPACE}").replace("\\#", "#"))


@pytest.mark.attack
@pytest.mark.parametrize("name", TEXTS)
def test_a_table_row_of_markdown_stays_one_row(name: str) -> None:
    page = MARKDOWN.render(f"| a | b |\n| --- | --- |\n| {markdown_text(TEXTS[name])} | last |\n")
    read = Reader(page)
    assert read.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert read.links == []


@given(TEXT)
def test_what_is_seen_steers_no_terminal(text: str) -> None:
    assert len(seen(text)) == len(text)
    assert all(letter in "\t\n" or letter.isprintable() or ord(letter) > 0x9F for letter in seen(text))


def test_a_long_cell_is_cut_and_figures_are_left_alone() -> None:
    assert len(plot_cell("W" * 200_000)) == len(markdown_text("W" * 200_000)) == LONGEST
    table = pd.DataFrame({"n": [-1, 2], "x": [-0.1234567, float("nan")], "flag": [True, False], "none": [None, "-a"]})
    assert csv_bytes(table) == b"n,x,flag,none\n-1,-0.123457,True,\n2,,False,'-a\n"


def test_a_policy_names_each_own_script_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(b"run()").digest()).decode()
    policy = dict(part.split(" ", 1) for part in own_policy(["a{}"], ["run()"], font_src="data:").split("; "))
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["font-src"] == policy["img-src"] == "data:"
