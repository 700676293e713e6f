"""A temporary clone of the working tree with a tiny demo shop, in which the real commands run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from support.commands import run, succeeded
from support.source_tree import ROOT

TINY: dict[str, Any] = {
    "demo.weeks": 8,
    "demo.skus": 25,
    "demo.customers": 60,
    "demo.lines": 6000,
    "drift.current_days": 7,
    "drift.max_share": 0.99,
    "drift.max_column_ratio": 99.0,
    "tuning.n_trials": 2,
    "tuning.max_epochs": 2,
    "tuning.min_steps": 1,
    "tuning.space.width": [16, 32],
    "tuning.sku_lines": 6,
    "tuning.customer_lines": 5,
    "baselines.n_trials": 1,
    "baselines.folds": 2,
    "baselines.svr_rows": 300,
    "explain.max_rows": 60,
    "explain.background_rows": 30,
    "gates.bootstrap_samples": 30,
    "fairness.columns": ["registered"],
    "fairness.threshold": 5.0,
    "fairness.min_rows": 20,
}


def edit_params(text: str, changes: dict[str, Any]) -> str:
    """``params.yaml`` with other values, comments gone."""
    yaml = YAML(typ="safe", pure=True)
    tree = yaml.load(text)
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = tree
        for parent in parents:
            section = section[parent]
        assert last in section, key
        section[last] = value
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


@dataclass(frozen=True)
class Clone:
    """A project folder of its own, with git and DVC in it.

    Attributes:
        fast: commands run without the seconds of their imports.
    """

    folder: Path
    fast: bool = True

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder; never raises."""
        return run(self.folder, *command, code=self.folder, fast=self.fast, **env)

    def must(self, *command: str, **env: str) -> str:
        """Run a command that has to succeed; its output, both streams."""
        done = succeeded(self.run(*command, **env))
        return done.stdout + done.stderr

    def params(self, **changes: Any) -> None:
        """Change dials, ``drift__policy="stop"`` for ``drift.policy``."""
        file = self.folder / "params.yaml"
        file.write_text(edit_params(file.read_text(), {key.replace("__", "."): v for key, v in changes.items()}))

    def lock(self) -> dict[str, dict[str, str]]:
        """Hash of each output by stage, from both lock files."""
        hashes: dict[str, dict[str, str]] = {}
        for name in ("demo/dvc.lock", "dvc.lock"):
            file = self.folder / name
            tree = YAML(typ="safe").load(file) if file.exists() else {"stages": {}}
            for stage, entry in tree["stages"].items():
                hashes[stage] = {out["path"]: out["md5"] for out in entry.get("outs", [])}
        return hashes

    def commit(self) -> None:
        """Commit everything git does not ignore."""
        self.must("git", "add", "-A")
        self.must("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "state")


def make_clone(folder: Path, changes: dict[str, Any], fast: bool = True) -> Clone:
    """Copy what git tracks or would track, change dials, start git; nothing of an earlier run comes along."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if name.startswith(("metrics/", "reports/")) or name.endswith("dvc.lock") or not (ROOT / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)  # dag.yaml links to dvc.yaml
    clone = Clone(folder, fast)
    (folder / "params.yaml").write_text(edit_params((folder / "params.yaml").read_text(), changes))
    clone.must("git", "init", "-q", "-b", "main")
    clone.commit()
    return clone


def md5(path: Path) -> str:
    """MD5 of a file as DVC writes it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
