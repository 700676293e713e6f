"""The steps of a run: each a function from what the earlier ones left to what it leaves, safe to be tried again."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.base.json_type import Json
from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.base.processes import leaving_nobody, module
from pricetrail.base.typed_json import parse_json_as
from pricetrail.checks.gates import EVIDENCE, read_verdict
from pricetrail.lineage.commit import LOCK, WORKSPACE, Commit
from pricetrail.lineage.git import git
from pricetrail.lineage.ledger import LEDGER, SOURCE, parse_ledger
from pricetrail.lineage.lock import READER
from pricetrail.lineage.replay_clone import FAILED
from pricetrail.operation.ingest.released_days import released
from pricetrail.operation.servers import s3
from pricetrail.operation.servers.programs import Done, UnreachableError, must, run
from pricetrail.operation.weekly.clone import Clone, take_credentials
from pricetrail.operation.weekly.inputs import Inputs
from pricetrail.operation.weekly.remote_check import ReadBack
from pricetrail.operation.weekly.study_due import VALIDATION, settings_of_next_run

OF_DVC: Final = re.compile(r"failed to reproduce '[^']+': (?!failed to run: )(.+)")  # not the stage's own program
NOWHERE: Final = "neither the cache nor the remote has them: `dvc push` where they were made"
GATE: Final = "drift_gate"
UNREACHABLE: Final = re.compile(
    r"connect|timed? ?out|unavailable|reset|endpoint|slow ?down|50[0-9]|internal ?error", re.I
)
PUSHED: Final = re.compile(r"^(\d+) files? pushed", re.M)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reproduced:
    """What the stages left.

    Attributes:
        stopped: why the drift gate stopped them; empty where it did not.
        made: paths that they may have changed of those that git tracks: its outputs and the locks.
    """

    stopped: str
    made: tuple[str, ...]


def update_sources(clone: Clone, minutes: float) -> tuple[str, ...]:
    """Bring imported data (``dvc import-url``, ``dvc import``) up to its source; paths of what was looked at.

    Raises:
        UnreachableError: a source does not answer.
        OperationError: what it brought breaks the contract, or rewrites days already released.
        PricetrailError: what is released cannot be told (``released``).
    """
    listed = git("ls-files", "-z", "*.dvc", folder=clone.folder).split("\0")
    imported = tuple(path for path in listed if path and "\ndeps:" in f"\n{files.read_text(clone.folder / path)}")
    if imported:
        must(["dvc", "update", *imported], clone.folder, minutes)
        release = released(clone.folder, clone.home)
        told = [release.tag, release.until.isoformat()] if release else []
        command = module("pricetrail.operation.ingest.dvc_update", clone.base, *told)
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
    params, here = parse_params(text), Commit.at(WORKSPACE, clone.folder)
    if not params.weekly.search_every or not _has_new_data(here, params.data.path):
        return {}
    # A study of other data, such as the demo shop's, says nothing of these.
    runs = parse_ledger(here.text(LEDGER), LEDGER) if LEDGER in here.paths else ()
    ledger = [run for run in runs if run.params.get(SOURCE) == params.data.path]
    every, validation = params.weekly.search_every, here.json(VALIDATION)
    settings: Mapping[str, Json] = settings_of_next_run(params.tuning, every, ledger, validation)
    if settings:
        files.write_text(clone.folder / "params.yaml", with_settings(text, settings))
    return settings


def _has_new_data(here: Commit, path: str) -> bool:
    """Whether the lines that DVC tracks are others than those of the last run."""
    tracked = next((source.outs[path] for source in here.sources if path in source.outs), None)
    used = [stage.deps.get(path) for stage in here.locks.get(LOCK, ()) if stage.name == READER]
    return tracked is not None and LOCK in here.locks and tracked not in used


def reproduce(clone: Clone, minutes: float) -> Reproduced:
    """Run what is out of date, with its output passed on to the log.

    First what it reads is brought, with the remote's credentials; then they are taken away, and the stages run, with
    nothing secret in their environment. What they started is ended with them.

    Raises:
        UnreachableError: the remote does not answer.
        OperationError: a stage failed, and it is not the drift gate that stopped the run.
    """
    known = _bring(clone, minutes)
    if not known.due:
        log.info("no stage has to run")
        return Reproduced("", known.kept_by_git)
    take_credentials(clone)
    with leaving_nobody():
        env = {"PYTHONPATH": str(clone.folder / "src")}
        done = run(["dvc", "repro", "--allow-missing"], clone.folder, env, tell=log.info, runs_stages=True)
    if done.code == 0:
        return Reproduced("", known.kept_by_git)
    failed = [name for line in done.lines for name in FAILED.findall(line)]
    if failed == [GATE]:
        return Reproduced(_closed_gate(clone), known.kept_by_git)
    raise OperationError(f"stage {failed[0]}" if failed else "dvc repro", f"must succeed: {_cause(done)}")


def _bring(clone: Clone, minutes: float) -> Inputs:
    """Bring what the stages read, by a program that can be killed."""
    s3.ensure_running(clone.home)
    done = run(module("pricetrail.operation.weekly.inputs"), clone.folder, minutes=minutes)
    if done.code:
        kind = UnreachableError if UNREACHABLE.search(done.reason) else OperationError
        place, _, rule = done.reason.partition(": ")
        raise kind(place, rule)
    found = parse_json_as(Inputs, done.lines[-1], "inputs")
    if found.lost:
        log.warning("neither in the cache nor in the remote, and perhaps not needed: %s", ", ".join(found.lost))
    return found


def _cause(done: Done) -> str:
    """What the failing stage itself said last, before DVC's own words."""
    own = ("ERROR: failed to reproduce", "> ", "Running stage")
    before = list(takewhile(lambda line: not line.startswith("ERROR: failed to reproduce"), done.lines))
    if len(before) == len(done.lines):
        return done.reason
    line, *after = done.lines[len(before) :]
    if found := OF_DVC.search(line):
        named = takewhile(lambda text: text and not text.startswith("Is your"), after)
        return f"{found[1]} {', '.join(named)}; {NOWHERE}" if found[1].endswith(":") else found[1]
    told = [text for text in before if text.strip() and not text.startswith(own)]
    return told[-1] if told else line


def _closed_gate(clone: Clone) -> str:
    """The reason of the drift gate, from its evidence.

    Raises:
        OperationError: there is no evidence that it closed: the stage failed for another reason.
    """
    try:
        verdict = read_verdict(files.read_json(clone.folder / EVIDENCE["drift"]), EVIDENCE["drift"], "drift")
    except PricetrailError as error:
        raise OperationError(f"stage {GATE}", f"must leave its evidence: {error}") from None
    if verdict.passed:
        raise OperationError(f"stage {GATE}", "must not fail where its verdict passed")
    return verdict.reason


def push(clone: Clone, minutes: float) -> int:
    """Send all objects of the lock to the remote; how many it lacked.

    Raises:
        UnreachableError: the remote did not take them.
    """
    s3.ensure_running(clone.home)
    try:
        told = must(["dvc", "push"], clone.folder, minutes)
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
    command = module("pricetrail.operation.weekly.remote_check", published, str(pushed), str(clone.home))
    found = parse_json_as(ReadBack, must(command, clone.folder, minutes).splitlines()[-1], "remote_check")
    if found.repaired:
        log.warning("%d objects in the remote had other bytes than their names say, sent again", len(found.repaired))
    if found.lost:
        log.warning("%s", found.lost)
    return found
