"""Rows that somebody sends, through the whole pipeline, and what it wrote opened as people open it: nothing runs."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from support.browser import CHROMIUM, tab
from support.clone import TINY, Clone, make_clone
from support.hostile import TEXTS
from support.tables import HEADER

pytestmark = [
    pytest.mark.attack,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]
NUMBER = re.compile(r"-?[\d.]+(e-?\d+)?")
LINES, DAYS, PORT = 5000, 56, 9
CODES = (
    f"<SCRIPT SRC=//127.0.0.1:{PORT}/A.JS></SCRIPT>",
    "'\"><IMG SRC=X>",
    "|`**[A](//B)",
)  # SKUs are made upper case
GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])  # worse: GitHub drops scripts


def hostile_lines() -> pd.DataFrame:
    """A shop whose every text column was written by an attacker; the rest is random."""
    rng = np.random.default_rng(5)
    skus = [f"2{place:04d}{code}" for place, code in enumerate(["", *CODES] * 3)]
    names, countries = [*TEXTS.values()], ["United Kingdom"] * 8 + [*TEXTS.values()]
    who = [*map(str, range(12000, 12050)), *(text for name, text in TEXTS.items() if name != "long")]
    sku, day = rng.integers(0, len(skus), LINES), np.sort(rng.integers(0, DAYS, LINES))
    minute = rng.integers(480, 1000, LINES)
    price = np.round((1 + sku / 4) * rng.choice([1.0, 0.9, 1.15], LINES), 2)
    when = pd.Timestamp("2011-01-03") + pd.to_timedelta(day * 1440 + minute, unit="min")
    cells = {
        "InvoiceNo": [f"{d}-{n // 4}" for n, d in enumerate(day)],
        "StockCode": [skus[one] for one in sku],
        "Description": [names[one] for one in sku],
        "Quantity": np.maximum(1, (rng.gamma(2, 8, LINES) / price).astype(int)),
        "InvoiceDate": when.strftime("%Y-%m-%d %H:%M:%S"),
        "UnitPrice": price,
        "CustomerID": [who[one] for one in rng.integers(0, len(who), LINES)],
        "Country": [countries[one] for one in rng.integers(0, len(countries), LINES)],
    }
    return pd.DataFrame(cells)[list(HEADER)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the pipeline ran over the hostile lines; its base is the commit before, with no run in it."""
    dials = {"data.path": "data/lines", "fairness.columns": ["country"], "fairness.min_rows": 1}
    reason = {"gates.overrides": {"drift": f"{TEXTS['markdown']} {TEXTS['image']} {TEXTS['script']}"}}
    clone = make_clone(tmp_path_factory.mktemp("hostile") / "shop", {**TINY, **dials, **reason})
    (clone.folder / "data/lines").mkdir(parents=True)
    hostile_lines().to_parquet(clone.folder / "data/lines" / f"{TEXTS['image'].replace('/', '-')}.parquet")
    clone.must("dvc", "add", "-q", "data/lines")
    clone.commit()
    clone.must("dvc", "repro")
    (clone.folder / ".dvc/plots").mkdir(exist_ok=True)
    clone.must("python", "-m", "pricetrail.report.plots_page", ".dvc/plots/page.html")
    clone.commit()
    return clone


def rendered(text: str, file: Path) -> Path:
    """A text of Markdown as a page."""
    body = text.split("\n---\n", 1)[1] if text.startswith("---") else text
    file.write_text(f'<!doctype html><meta charset="utf-8"><title>Markdown</title>{GITHUB.render(body)}')
    return file


def opened_page(run: Clone, name: str, folder: Path) -> Path:
    """A page as people come to it."""
    reports = run.folder / "reports"
    match name:
        case "plots":
            run.must("dvc", "plots", "show", "-o", str(folder / "plots"))
            return folder / "plots/index.html"
        case "comment":
            run.must("python", ".ci/pull_request.py", "HEAD~1", "HEAD", str(folder / "out"))
            return rendered((folder / "out/comment.md").read_text(), folder / "comment.html")
        case "card":
            return rendered((reports / "model_card.md").read_text(), folder / "card.html")
        case "decision":
            return rendered((reports / "decision.md").read_text(), folder / "decision.html")
    return reports / name


@pytest.mark.parametrize(
    ("name", "title", "beside", "shown"),
    [
        ("plots", "Pricetrail plots", r"/plots/static/\w+\.png", []),
        ("drift.html", "", r"/drift_assets/evidently\.(js|css)", ["entity"]),
        ("index.html", "Pricetrail: ", "", ["script", "image", "link", "entity"]),
        ("card", "Markdown", "", ["script", "image", "link", "entity", "markdown"]),
        ("decision", "Markdown", "", ["script", "image", "markdown"]),
        ("comment", "Markdown", r"https://github\.com/OWNER/.*", ["script", "image", "markdown"]),
    ],
)
def test_nothing_that_was_sent_runs_in_a_page(
    run: Clone, tmp_path: Path, name: str, title: str, beside: str, shown: list[str]
) -> None:
    page = opened_page(run, name, tmp_path)
    with tab(tmp_path / "profile") as browser:
        browser.open(page, 1280)
        browser.evaluate("new Promise((done) => setTimeout(done, 1000))")
        assert browser.evaluate("document.title").startswith(title)
        assert browser.evaluate("document.title") != "owned"
        browser.evaluate("document.querySelectorAll('script, plaintext').forEach((one) => one.remove())")
        text = browser.evaluate("document.body.textContent").replace("\u200b", "")
        images = browser.evaluate("[...document.images].map((one) => one.getAttribute('src'))")
        asked = [url for url in browser.requests() if not url.startswith("data:")]
    own = re.compile(f"{re.escape(page.as_uri())}|.*{beside}" if beside else re.escape(page.as_uri()))
    assert [url for url in asked if not own.fullmatch(url)] == []
    assert "x" not in images
    if name == "plots":
        assert all(code in text for code in CODES)
    for key in shown:
        assert TEXTS[key] in text, key


def test_no_cell_of_a_table_is_a_formula(run: Clone) -> None:
    tables = sorted((run.folder / "reports").rglob("*.csv"))
    assert "reports/price_curves.csv" in {str(table.relative_to(run.folder)) for table in tables}
    found = [cell for table in tables for row in csv.reader(table.open(newline="")) for cell in row]
    assert f"'{TEXTS['formula']}" in found
    assert [cell for cell in found if cell.startswith(("=", "+", "-", "@", "\t")) and not NUMBER.fullmatch(cell)] == []


@pytest.mark.parametrize("command", [["prices"], ["explain", "--row", "3"], ["decide", "--explain"], ["prices", "21"]])
def test_no_command_hands_a_terminal_what_was_sent(run: Clone, command: list[str]) -> None:
    done = run.run("pricetrail", *command)
    assert "Traceback" not in done.stderr
    assert not re.search("[\x1b\x07\u202e]", done.stdout + done.stderr)
