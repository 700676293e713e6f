"""What two commits' runs have apart, for a pull request: ``comment.md``, and every plot in ``plots/``.

Usage: pull_request.py BASE HEAD FOLDER. Reads git alone: no remote, no data, no stage runs. HEAD must be checked out.
What a commit's files say is text in the comment, no markup, link or mention; its decision has to follow from its gates.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import vl_convert

from pricetrail.base.errors import PricetrailError
from pricetrail.base.escaping import markdown_text
from pricetrail.base.files import parse_json
from pricetrail.checks.decision import decision_page, read_decision

LONGEST = 60_000  # characters; GitHub takes 65,536
BEESWARM, DECISION = "reports/shap/beeswarm.png", "metrics/decision.json"
NEXT = "\n## "  # where the decision goes on, gate by gate


def said(*command: str) -> str:
    """What a command prints; the last of its own words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"{Path(command[0]).name} failed: {reason(done.stderr)}"


def reason(stderr: str) -> str:
    """The last line of what a program told before it failed."""
    return (stderr.strip().splitlines() or ["no reason"])[-1]


def lock_note() -> str:
    """Whether the committed lock is that of the commit's code, dials and data."""
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    changed = re.search(r"Running stage '(.*)'", done.stdout)
    if changed:
        stage = markdown_text(changed[1])
        return f"⚠️ `dvc.lock` is not of this code: `dvc repro` would run {stage} first. The figures are older."
    if done.returncode:
        return f"⚠️ `dvc repro --dry` failed: {markdown_text(reason(done.stderr))}"
    return "`dvc.lock` is of this code, these dials and this data."


def decision(rev: str) -> str:
    """The heading and the table of the decision at a commit, as its verdicts give it: a page may say anything."""
    try:
        found = read_decision(parse_json(said("git", "show", f"{rev}:{DECISION}"), DECISION), DECISION)
    except PricetrailError as error:
        return f"⚠️ No decision: {markdown_text(str(error))}"
    heading, _, rest = decision_page(found).removeprefix("# ").partition("\n")
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


def metrics(base: str, head: str) -> str:
    """Every metric that moved, as a table."""
    told = said(sys.executable, "-m", "dvc", "metrics", "diff", "--json", base, head)
    try:
        files = json.loads(told)
    except ValueError:
        return f"⚠️ {markdown_text(told)}"
    cells = [
        (file, name, *("–" if value.get(key) is None else str(value[key]) for key in ("old", "new", "diff")))
        for file, values in sorted(files.items())
        for name, value in sorted(values.items())
    ]
    if not cells:
        return "No metric moved."
    rows = [f"| {' | '.join(map(markdown_text, row))} |" for row in cells]
    return "\n".join(["| file | metric | base | head | change |", "|---|---|---:|---:|---:|", *rows])


def comment(base: str, head: str, lost: list[str]) -> str:
    """The Markdown of the comment."""
    reasons = said(sys.executable, "-m", "pricetrail.cli", "why", base, head).splitlines() or ["nothing"]
    changed = subprocess.run(["git", "diff", "--quiet", base, head, "--", BEESWARM], check=False).returncode
    parts = [
        f"## Pricetrail: `{base}` → `{head}`",
        lock_note(),
        decision(head),
        f"### Metrics\n\n{metrics(base, head)}",
        f"### Why\n\n{markdown_text(reasons[0])}",
        *([f"### SHAP, before and after\n\n{image(base)}\n\n{image(head)}"] if changed else []),
        *(f"Not drawn: {markdown_text(line)}" for line in lost),
    ]
    text = "\n\n".join(parts)
    return f"{text}\n" if len(text) <= LONGEST else f"{text[:LONGEST]}\n\n… cut at {LONGEST:,} characters\n"


if __name__ == "__main__":
    base, head = (said("git", "rev-parse", "--short", rev) for rev in sys.argv[1:3])
    folder = Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "plots").mkdir(parents=True)
    (folder / "comment.md").write_text(comment(base, head, draw(base, head, folder / "plots")))
