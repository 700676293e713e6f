"""README and docs: what they name is there, what they tell to type runs, and the first page stays one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
import typer
from ruamel.yaml import YAML

from pricetrail.base.files import read_params
from pricetrail.cli.app import app
from pricetrail.data import demo_shop
from support.clone import Clone
from support.source_tree import ROOT

README = ROOT / "README.md"
GUIDES = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/decisions").glob("*.md"))]
TODAY = [page for page in GUIDES if page.name != "log.md"]  # the log tells of files and commands that are gone
FIRST_PAGE_WORDS = 900
PLAIN = r"\b(dials?|doors?|rooms|receipts?|warrants?)\b|told, no gate|less it\b|network less|file an ISO week"
LONG = ("pricetrail replay", "dvc exp run")  # `make test` replays a run already


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def first_page() -> str:
    return README.read_text().partition("\n## Results\n")[0]


def blocks(text: str, language: str = "sh") -> list[list[str]]:
    """The commands of each code block, comments gone and broken lines joined."""
    found = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)
    return [
        [line for raw in block.replace("\\\n", " ").splitlines() if (line := re.sub(r"(^|\s+)# .*$", "", raw).strip())]
        for block in found
    ]


def prose(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def commands_of(page: Path) -> Iterator[list[str]]:
    """Each `pricetrail …` and `make …` of a page, in code blocks and in the text."""
    text = page.read_text()
    for line in [*chain(*blocks(text)), *re.findall(r"`([^`\n]+)`", prose(text))]:
        for part in re.split(r"&&|\|\||;", line):
            words = part.split()
            if words[:1] in (["pricetrail"], ["make"]):
                yield words


def test_the_first_page_is_short_and_shows_a_picture() -> None:
    text = first_page()
    assert len(text) < len(README.read_text()), "no heading `## Results`"
    assert len(text.split()) <= FIRST_PAGE_WORDS
    picture = re.search(r"!\[[^\]]+\]\((.+?)\)", text)
    assert picture
    assert picture.start() < text.index("```")
    assert (ROOT / picture[1]).stat().st_size < 300_000


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_the_words_are_plain(page: Path) -> None:
    assert [found[0] for found in re.finditer(PLAIN, prose(page.read_text()), re.IGNORECASE)] == []


def slugs(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    heads = re.findall(r"(?m)^#+ (.+)$", prose(page.read_text()))
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", head)).lower().replace(" ", "-") for head in heads
    }


@pytest.mark.parametrize("page", [*GUIDES, ROOT / "CHANGELOG.md"], ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text())):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in slugs(target), link


@pytest.mark.parametrize("page", TODAY, ids=named)
def test_files_that_are_named_are_there(page: Path) -> None:
    for path in re.findall(r"(?<![\w/:.])((?:src|tests|benchmarks|docs|\.ci)/[\w./-]*\w)", page.read_text()):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", TODAY, ids=named)
def test_commands_that_are_named_are_there(page: Path) -> None:
    known = typer.main.get_command(app)
    targets = set(re.findall(r"(?m)^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text()))
    for program, *words in commands_of(page):
        if program == "make":
            assert not words or words[0] in targets, words
            continue
        command = known
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            if re.fullmatch("[A-Z…]+", words[0]):
                break
            assert words[0] in command.commands, words
            command, words = command.commands[words[0]], words[1:]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            if re.fullmatch(r"--?[a-z][a-z-]*", word.strip("[]()")):
                assert word.strip("[]()") in {*options, "--help"}, (command.name, word)


def first_sku() -> str:
    sku = re.search(r"data\.sku=(\w+)", first_page())
    assert sku
    return sku[1]


def test_the_sku_of_the_readme_sells_in_the_demo_shop() -> None:
    params = read_params(ROOT / "params.yaml")
    lines = demo_shop.simulate(params.demo, params.seed).lines
    count = Counter(lines["StockCode"])
    assert count[first_sku()] > 1_000
    for page in GUIDES[1:]:
        assert all(count[sku] for sku in re.findall(r"data\.sku=(\w+)", page.read_text())), page


def steps() -> list[object]:
    """Every command of the first page: a block in one clone, a long command by itself."""
    found: list[object] = []
    for number, block in enumerate(blocks(first_page())):
        short = [line for line in block if not line.startswith(LONG)]
        marks = [pytest.mark.slow, pytest.mark.long]
        found.append(pytest.param(short, marks=marks if number > 1 else marks[:1], id=f"block {number}"))
        found += [pytest.param([line], marks=marks, id=line) for line in block if line not in short]
    return found


@pytest.fixture
def reader(copy: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Somebody with the tiny shop, an environment, an editor, a browser and invoice lines of their own."""
    (copy.folder / ".venv").symlink_to(sys.prefix)
    with (copy.folder / ".git/info/exclude").open("a") as file:
        file.write("/.venv\n")
    home = tmp_path / "home"
    (home / "exports").mkdir(parents=True)
    for lines in (copy.folder / "demo/lines").glob("*.parquet"):
        pd.read_parquet(lines).to_csv(home / "exports" / f"{lines.stem}.csv", index=False)
    editor = home / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's|demo/lines|data/lines|' \"$1\"\n")
    editor.chmod(0o755)
    for key, value in {"HOME": home, "EDITOR": editor, "BROWSER": shutil.which("true")}.items():
        monkeypatch.setenv(key, str(value))
    for key in ("user.name", "user.email"):
        copy.must("git", "config", key, "a@b")
    return copy


def safe(line: str, shop: Clone) -> str:
    """The same command where packages are installed, a test runs already, and the shop is tiny, few rows explained."""
    line = re.sub(r"^make ", "make --assume-old=.venv/.ready ", line)
    busiest = pd.concat(map(pd.read_parquet, (shop.folder / "demo/lines").glob("*"))).StockCode.mode()[0]
    line = line.replace(f"data.sku={first_sku()}", f"data.sku={busiest}")
    explained = pd.read_parquet(shop.folder / "data/shap_values.parquet").test_row.min()
    line = line.replace("--row 7", f"--row {explained}")
    return f"{line} --dry-run" if line.split()[-1:] == ["test"] else line


@pytest.mark.parametrize("lines", steps())
def test_what_the_first_page_tells_to_type_runs(lines: list[str], reader: Clone) -> None:
    shown = [reader.must("bash", "-euc", safe(line, reader)) for line in lines]
    assert all(shown) or lines[0].startswith(("source", '"${EDITOR'))
    if any("ingest" in line for line in lines):
        stages = YAML(typ="safe").load(reader.folder / "dvc.lock")["stages"]
        assert [dep["path"] for dep in stages["etl_pipeline"]["deps"] if dep["path"].startswith("da")] == ["data/lines"]
    else:
        assert reader.must("git", "status", "--porcelain") == ""


def test_pictures_and_tables_are_of_today() -> None:
    for script in (".ci/pictures.py", "benchmarks/readme.py"):
        done = subprocess.run(
            [sys.executable, script, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("mkdocs") is None, reason="mkdocs-material is not installed")
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = shlex.split(f"mkdocs build --strict --site-dir {tmp_path}")
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(GUIDES)
    for page in pages:
        text = page.read_text()
        assert not re.findall(r"""<(?:script|img|iframe|link)[^>]*\b(?:src|href)=["']?(?:https?:)?//""", text), page
        assert "mermaid" not in text, "its script comes from a CDN"
