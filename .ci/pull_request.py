"""What two commits' runs have apart, for a pull request: ``comment.md``, and every plot in ``plots/``.

Usage: pull_request.py BASE HEAD FOLDER. Reads git alone: no remote, no data, no stage runs. HEAD must be checked out.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import vl_convert

LONGEST = 60_000  # characters; GitHub takes 65,536
BEESWARM = "reports/shap/beeswarm.png"
NEXT = "\n## "  # where the decision goes on, gate by gate


def said(*command: str) -> str:
    """What a command prints; its own words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"`{command[0]} {command[1]}` failed: {done.stderr.strip()}"


def lock_note() -> str:
    """Whether the committed lock is that of the commit's code, dials and data."""
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    changed = re.search(r"Running stage '(.*)'", done.stdout)
    if changed:
        return f"⚠️ `dvc.lock` is not of this code: `dvc repro` would run `{changed[1]}` first. The figures are older."
    if done.returncode:
        return f"⚠️ `dvc repro --dry` failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"
    return "`dvc.lock` is of this code, these dials and this data."


def decision(rev: str) -> str:
    """The heading and the table of the decision at a commit."""
    text = said("git", "show", f"{rev}:reports/decision.md").removeprefix("# ")
    heading, _, rest = text.partition("\n")
    return f"**{heading}**\n{rest.partition(NEXT)[0].rstrip()}"


def image(rev: str) -> str:
    """The SHAP plot of a commit, from git itself: a comment takes no upload."""
    sha = said("git", "rev-parse", rev)
    repository = os.environ.get("GITHUB_REPOSITORY", "OWNER/REPOSITORY")
    return f"![SHAP values at {sha[:7]}](https://github.com/{repository}/blob/{sha}/{BEESWARM}?raw=true)"


def draw(base: str, head: str, folder: Path) -> list[str]:
    """Every plot of both commits: DVC's page, and PNG files in ``png/``; what could not be drawn."""
    pngs, lost = folder / "png", []
    dvc = [sys.executable, "-m", "dvc", "plots", "diff", base, head, "--out"]
    page = subprocess.run([*dvc, str(folder)], capture_output=True, text=True, check=False)
    if page.returncode:
        lost.append(f"the page: {(page.stderr.strip().splitlines() or ['no reason'])[0]}")
    asked = subprocess.run([*dvc, str(pngs), "--json"], capture_output=True, text=True, check=False)
    if asked.returncode:
        return [*lost, f"any plot: {(asked.stderr.strip().splitlines() or ['no reason'])[0]}"]
    pngs.mkdir(parents=True, exist_ok=True)
    plots = json.loads(asked.stdout)["data"]
    for name, parts in plots.items():
        for part in parts:
            if part["type"] != "vega":
                continue
            try:
                png = vl_convert.vegalite_to_png(part["content"], scale=1.5)
            except ValueError as error:
                lost.append(f"{name}: {str(error).splitlines()[0]}")
                continue
            (pngs / f"{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}.png").write_bytes(png)
    return lost


def comment(base: str, head: str, lost: list[str]) -> str:
    """The Markdown of the comment."""
    metrics = said(sys.executable, "-m", "dvc", "metrics", "diff", "--md", base, head)
    reasons = said(sys.executable, "-m", "pricetrail.cli", "why", base, head).splitlines() or ["nothing"]
    changed = subprocess.run(["git", "diff", "--quiet", base, head, "--", BEESWARM], check=False).returncode
    parts = [
        f"## Pricetrail: `{base}` → `{head}`",
        lock_note(),
        decision(head),
        f"### Metrics\n\n{metrics or 'No metric moved.'}",
        f"### Why\n\n{reasons[0]}",
        *([f"### SHAP, before and after\n\n{image(base)}\n\n{image(head)}"] if changed else []),
        *(f"Not drawn: {line}" for line in lost),
    ]
    text = "\n\n".join(parts)
    return f"{text}\n" if len(text) <= LONGEST else f"{text[:LONGEST]}\n\n… cut at {LONGEST:,} characters\n"


if __name__ == "__main__":
    base, head = (said("git", "rev-parse", "--short", rev) for rev in sys.argv[1:3])
    folder = Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "plots").mkdir(parents=True)
    (folder / "comment.md").write_text(comment(base, head, draw(base, head, folder / "plots")))
