"""The steps of a run: each a function from what the earlier ones left to what it leaves, safe to be tried again."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.base.json_type import Json
from pricetrail.base.params import Params, parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.checks.gates import read_verdict
from pricetrail.lineage.git import git
from pricetrail.lineage.ledger import parse_ledger
from pricetrail.lineage.lock import parse_lock, parse_source
from pricetrail.operation.servers import s3
from pricetrail.operation.servers.programs import Done, UnreachableError, must, run
from pricetrail.operation.weekly.clone import Clone
from pricetrail.operation.weekly.remote_check import ReadBack
from pricetrail.operation.weekly.study_due import settings_of_next_run

FAILED_STAGE: Final = re.compile(r"failed to reproduce '(?:[^']*:)?([^':]+)'")
OF_DVC: Final = re.compile(r"failed to reproduce '[^']+': (?!failed to run: )(.+)")  # not the stage's own program
GATE: Final = "drift_gate"
EVIDENCE: Final = Path("metrics/drift.json")
LEDGER, VALIDATION = Path("reports/runs.jsonl"), Path("metrics/validation.json")
UNREACHABLE: Final = re.compile(
    r"connect|timed? ?out|unavailable|reset|endpoint|slow ?down|50[0-9]|internal ?error", re.I
)
PUSHED: Final = re.compile(r"^(\d+) files? pushed", re.M)

log = logging.getLogger(__name__)


def update_sources(clone: Clone, minutes: float) -> tuple[str, ...]:
    """Bring imported data (``dvc import-url``, ``dvc import``) up to its source; paths of what was looked at.

    Raises:
        UnreachableError: a source does not answer.
        OperationError: what it brought breaks the contract, or rewrites days already released.
    """
    listed = git("ls-files", "-z", "*.dvc", folder=clone.folder).split("\0")
    imported = tuple(path for path in listed if path and "\ndeps:" in f"\n{files.read_text(clone.folder / path)}")
    if imported:
        must(["dvc", "update", *imported], clone.folder, minutes, clone.env)
        command = [sys.executable, "-m", "pricetrail.operation.ingest.dvc_update", clone.base]
        checked = run(command, clone.folder, minutes=minutes)
        if checked.code:
            raise OperationError("dvc update", f"must bring lines that can be taken: {checked.reason}")
    return imported


def plan_tuning(clone: Clone) -> Mapping[str, Json]:
    """Set ``tuning`` for this run where there are new data and ``weekly.search_every`` says so; the settings changed.

    Raises:
        ParamsError, DataError: params.yaml, the ledger or the last validation figures are not right.
    """
    text = files.read_text(clone.folder / "params.yaml")
    params = parse_params(text)
    if not params.weekly.search_every or not _has_new_data(clone, params):
        return {}
    recorded = files.read_text(clone.folder / LEDGER) if (clone.folder / LEDGER).exists() else ""
    # A study of other data, such as the demo shop's, says nothing of these.
    ledger = [run for run in parse_ledger(recorded, str(LEDGER)) if run.params.get("data.path") == params.data.path]
    validation = files.read_json(clone.folder / VALIDATION) if (clone.folder / VALIDATION).exists() else {}
    settings: Mapping[str, Json] = settings_of_next_run(params.tuning, params.weekly.search_every, ledger, validation)
    if settings:
        files.write_text(clone.folder / "params.yaml", with_settings(text, settings))
    return settings


def _has_new_data(clone: Clone, params: Params) -> bool:
    """Whether the lines that DVC tracks are others than those of the last run."""
    path, lock = params.data.path, clone.folder / "dvc.lock"
    source = clone.folder / f"{path}.dvc"
    if not source.exists() or not lock.exists():
        return False
    tracked = parse_source(files.read_text(source), f"{path}.dvc").outs.get(path)
    used = {stage.name: stage for stage in parse_lock(files.read_text(lock))}.get("etl_pipeline")
    return used is None or used.deps.get(path) != tracked


def reproduce(clone: Clone) -> str:
    """Run what is out of date, with its output passed on to the log.

    Returns:
        Why the drift gate stopped it; empty where it did not.

    Raises:
        OperationError: a stage failed, and it is not the drift gate that stopped the run.
    """
    done = run(["dvc", "repro", "--pull", "--allow-missing"], clone.folder, clone.env, tell=log.info)
    if done.code == 0:
        return ""
    failed = [name for line in done.lines for name in FAILED_STAGE.findall(line)]
    if failed == [GATE]:
        reason = _closed_gate(clone)
        _put_back_outputs(clone)
        return reason
    named = f"stage {failed[0]}" if failed else "dvc repro"
    if UNREACHABLE.search(done.reason) and not failed:
        raise UnreachableError(named, f"must succeed: {done.reason}")
    raise OperationError(named, f"must succeed: {_cause(done)}")


def _cause(done: Done) -> str:
    """What the failing stage itself said last, before DVC's own words."""
    own = ("ERROR: failed to reproduce", "> ", "Running stage")
    for number, line in enumerate(done.lines):
        if line.startswith("ERROR: failed to reproduce"):
            if found := OF_DVC.search(line):
                return found[1]
            told = [text for text in done.lines[:number] if text.strip() and not text.startswith(own)]
            return told[-1] if told else line
    return done.reason


def _closed_gate(clone: Clone) -> str:
    """The reason of the drift gate, from its evidence.

    Raises:
        OperationError: there is no evidence that it closed: the stage failed for another reason.
    """
    try:
        verdict = read_verdict(files.read_json(clone.folder / EVIDENCE), str(EVIDENCE), "drift")
    except PricetrailError as error:
        raise OperationError(f"stage {GATE}", f"must leave its evidence: {error}") from None
    if verdict.passed:
        raise OperationError(f"stage {GATE}", "must not fail where its verdict passed")
    return verdict.reason


def _put_back_outputs(clone: Clone) -> None:
    """What DVC took away before the gate ran: the lock still names it, and `--allow-missing` would never miss it."""
    gone = [path for path in git("ls-files", "-z", "--deleted", folder=clone.folder).split("\0") if path]
    if gone:
        git("checkout", "--quiet", "--", *gone, folder=clone.folder)


def push(clone: Clone, minutes: float) -> int:
    """Send all objects of the lock to the remote; how many it lacked.

    Raises:
        UnreachableError: the remote did not take them.
    """
    s3.ensure_running(clone.home)
    try:
        told = must(["dvc", "push"], clone.folder, minutes, clone.env)
    except UnreachableError as error:
        if "is corrupted" in error.rule:  # a list that was cut off when an earlier run sent it
            verify(clone, minutes)
        raise
    return sum(int(count) for count in PUSHED.findall(told))


def verify(clone: Clone, minutes: float, pushed: int = 0) -> ReadBack:
    """Make sure that the remote has every object of the lock, and that the new ones are what their names say.

    Args:
        clone: the clone.
        minutes: limit of the program that asks.
        pushed: objects that were sent: more than are new tell that the remote had lost old ones, or is another one.

    Raises:
        UnreachableError: the remote does not answer, or lacks an object.
    """
    s3.ensure_running(clone.home)
    # The base may name new lines that nobody pushed; all that the last published lock named was read back then.
    published = git("log", "-1", "--format=%H", clone.base, "--", "dvc.lock", folder=clone.folder).strip()
    command = [sys.executable, "-m", "pricetrail.operation.weekly.remote_check", published, str(pushed)]
    found = json.loads(must(command, clone.folder, minutes).splitlines()[-1])
    if repaired := tuple(found["repaired"]):
        log.warning("%d objects in the remote had other bytes than their names say, sent again", len(repaired))
    return ReadBack(found["objects"], found["object_bytes"], repaired)
