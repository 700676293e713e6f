"""The template of `dvc plots show`: whatever DVC writes into it, no script but its own runs, and the text is shown."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from pathlib import Path

import pytest

from pricetrail.report.plots_page import SCRIPT, STYLE, plots_page
from support.browser import CHROMIUM, tab
from support.commands import must
from support.hostile import RUNS, TEXTS
from support.source_tree import ROOT

BRANCHES = {
    "image": f"<img/src=x/onerror={RUNS}>",
    "script": f"<script>{RUNS}</script>",
    "quote": f'"onload={RUNS};"',
    "entity": "&lt;b&gt;",
}
PLOTS = """\
plots:
  - Error by group: {x: mse, y: {groups.csv: group}, template: bar_horizontal}
  - Price response: {x: unit_price, y: {curves.csv: predicted_quantity}, template: price_response}
  - picture.svg
"""
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>parent.document.title="owned"</script></svg>'
)


def test_the_policy_has_the_hashes_of_the_scripts_and_no_others() -> None:
    page = plots_page("window.vegaEmbed = '</script><script>'")
    scripts, styles = (re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", page) for tag in ("script", "style"))
    assert [scripts[1], *styles] == [SCRIPT, STYLE]
    assert len(scripts) == 2
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (*styles, *scripts)]
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="(.*)"', page)[0]
    assert re.findall(r"'sha256-(.*?)'", policy) == digests
    assert "unsafe" not in policy
    assert page.endswith("<plaintext>\n  {plot_divs}\n"), "no text ends that element"


def project(folder: Path, text: str) -> Path:
    """A project with plots whose data, unlike ours, hold a text as it is."""
    (folder / ".dvc/plots").mkdir(parents=True)
    (folder / ".dvc/config").write_text((ROOT / ".dvc/config").read_text())
    (folder / ".dvc/plots/price_response.json").write_text((ROOT / ".dvc/plots/price_response.json").read_text())
    must(folder, "python", "-m", "pricetrail.report.plots_page", ".dvc/plots/page.html")
    (folder / "dvc.yaml").write_text(PLOTS)
    (folder / "picture.svg").write_text(PICTURE)
    columns = ("sku", "unit_price", "predicted_quantity", "current_price", "recommended_price")
    for name, header, rows in (
        ("groups.csv", ("group", "mse"), [(text, 0.5), ("plain", 0.25)]),
        ("curves.csv", columns, [(text, price, 9 - price, 2, 3) for price in (1, 2, 3)]),
    ):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    must(folder, "git", "init", "-q", "-b", "main")
    must(folder, "git", "add", "-A")
    must(folder, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "plots")
    return folder


def opened(page: Path, profile: Path) -> tuple[str, list[str], int]:
    """What a browser shows of a page, what it asked for besides, and how many plots it drew."""
    with tab(profile) as browser:
        browser.open(page, 1280)
        browser.evaluate("new Promise((done) => setTimeout(done, 800))")
        assert browser.evaluate("document.title") == "Pricetrail plots"
        browser.evaluate("document.querySelector('plaintext').remove()")
        shown = str(browser.evaluate("document.body.textContent"))
        static = f"{page.parent.as_uri()}/static/"
        asked = [url for url in browser.requests() if not url.startswith(("data:", static)) and url != page.as_uri()]
        broken = [event for event in browser.complaints() if "exceptionDetails" in event["params"]]
        assert broken == []
        return shown, asked, browser.evaluate("document.querySelectorAll('svg.marks, canvas').length")


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.parametrize("name", [name for name in TEXTS if name != "long"])
def test_no_text_of_a_plots_data_runs(tmp_path: Path, name: str) -> None:
    folder = project(tmp_path / "project", TEXTS[name])
    must(folder, "dvc", "plots", "show", "-o", "out")
    shown, asked, drawn = opened(folder / "out/index.html", tmp_path / "profile")
    assert asked == []
    assert drawn == 2
    read = TEXTS[name].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")  # as ours are written
    if name not in {"line ends", "turned round", "terminal", "formula of a next row"}:
        assert read in shown


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.parametrize("name", BRANCHES)
def test_no_name_of_a_branch_runs(tmp_path: Path, name: str) -> None:
    folder = project(tmp_path / "project", "plain")
    must(folder, "git", "branch", BRANCHES[name])
    must(folder, "dvc", "plots", "diff", "HEAD", BRANCHES[name], "-o", "out")
    shown, asked, drawn = opened(folder / "out/index.html", tmp_path / "profile")
    assert asked == []
    assert drawn == 2
    assert BRANCHES[name] in shown
