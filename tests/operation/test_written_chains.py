"""The chains of commands in the docs do what they say: they are read out of the page, and run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pricetrail.base import files
from pricetrail.data.demo_shop import simulate
from pricetrail.operation.servers import s3
from support.clone import TINY, edit_params
from support.commands import environment, free_port, must, succeeded
from support.source_tree import ROOT

ONE = pytest.mark.xdist_group("written_chains")


def block(page: str, heading: str, language: str) -> str:
    """The first code block of a language below a heading."""
    text = (ROOT / "docs" / page).read_text().partition(f"## {heading}\n")[2]
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found, (page, heading, language)
    return found[1]


def shell(folder: Path, script: str, home: Path) -> str:
    """Run a script as a person would, in a shell that stops at the first error; make finds its set-up done."""
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / ".venv/.ready").touch()
    env = environment(folder, HOME=str(home), GIT_CONFIG_GLOBAL=str(home / "git"))
    done = subprocess.run(
        ["bash", "-e"], cwd=folder, env=env, input=script, capture_output=True, text=True, check=False
    )
    return succeeded(done).stdout


def person(box: Path) -> Path:
    """A home with a name for commits, and the exports of a shop: the tiny demo shop's lines, week by week."""
    home = box / "home"
    (home / "exports").mkdir(parents=True)
    must(box, "git", "config", "--file", str(home / "git"), "user.name", "Ann")
    must(box, "git", "config", "--file", str(home / "git"), "user.email", "ann@shop.example")
    (box / "params.yaml").write_text(edit_params((ROOT / "params.yaml").read_text(), TINY))
    params = files.read_params(box / "params.yaml")
    lines = simulate(params.demo, params.seed).lines
    for number, days in enumerate(range(0, len(lines), 2000)):
        lines.iloc[days : days + 2000].to_csv(home / f"exports/part-{number}.csv", index=False)
    return home


def hub(box: Path) -> Path:
    """The repository as it is published, in which nobody ever ran anything, with the dials of a tiny shop."""
    folder, listed = box / "seed", must(ROOT, "git", "ls-files", "-co", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    (folder / "params.yaml").write_text((box / "params.yaml").read_text())
    config = folder / ".dvc/config"
    config.write_text(config.read_text().replace(":9000", f":{free_port()}"))
    for command in (
        "git init -q -b main",
        "git add -A",
        "git -c user.name=t -c user.email=t@t commit -qm shop",
        "git clone -q --bare . ../hub.git",
    ):
        must(folder, *command.split())
    return box / "hub.git"


@ONE
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.operation_case
def test_from_nothing_then_backup_and_restore(tmp_path: Path) -> None:
    """No `make repro` before: the lock that ships is of a demo shop that nobody here ever had."""
    home, origin = person(tmp_path), hub(tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    try:
        must(tmp_path, "git", "clone", "-q", str(origin), str(first))
        text, given = (
            (first / "params.yaml").read_text(),
            YAML(typ="safe").load(block("schedule.md", "From nothing, on your data", "yaml")),
        )
        changes = {f"{section}.{key}": value for section, keys in given.items() for key, value in keys.items()}
        (first / "params.yaml").write_text(edit_params(text, changes))
        chain = block("schedule.md", "From nothing, on your data", "sh").replace("make schedule\n", "")
        assert "Released" in shell(first, chain, home)

        must(tmp_path, "git", "clone", "-q", str(origin), str(second))
        s3.embedded(first).stop()  # type: ignore[union-attr]
        shutil.copytree(first / ".s3", second / ".s3")
        (second / ".pricetrail/keys").mkdir(parents=True)
        shutil.copy(first / ".pricetrail/keys/release.pem", second / ".pricetrail/keys")
        assert "0 failed" in shell(second, block("reliability.md", "Backup and restore", "sh"), home)
        assert list((second / "data/processed").rglob("*.parquet"))
        assert "is verified" in shell(second, "pricetrail verify production", home)
        assert "Unchanged" in shell(second, "pricetrail weekly", home)
    finally:
        for folder in (first, second):
            if folder.exists() and (store := s3.embedded(folder)):
                store.stop()
