"""The weekly run as a transaction: snapshot, reproduce, push, verify, publish, report.

It ends with data, lock, metrics and release safely published, or leaves nothing changed and says why. The steps are
plain functions; an `Engine` runs them, so that Prefect (``schedule.flow``) and ``pricetrail weekly`` run the same.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from pricetrail.base import files
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.base.json_type import Json
from pricetrail.base.params import Params
from pricetrail.base.params_schema import Weekly
from pricetrail.checks.decision import headline, read_decision
from pricetrail.lineage.changes import flat
from pricetrail.lineage.commit import DECISION, WORKSPACE, Commit
from pricetrail.operation.releases import make
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.servers import s3
from pricetrail.operation.servers.programs import PATIENCE
from pricetrail.operation.weekly import clone as run_clone
from pricetrail.operation.weekly import publish as publishing
from pricetrail.operation.weekly import steps, surroundings
from pricetrail.operation.weekly.clone import Clone
from pricetrail.operation.weekly.message import Metrics, message
from pricetrail.operation.weekly.outcome import Ending, Outcome
from pricetrail.operation.weekly.publish import Published
from pricetrail.operation.weekly.remote_check import ReadBack
from pricetrail.operation.weekly.steps import Reproduced

T = TypeVar("T")

log = logging.getLogger(__name__)


class Engine(Protocol):
    """What runs a step."""

    def step(self, name: str, work: Callable[[], T], retried: bool = False) -> T:
        """Run a step; a retried one again where it raised `UnreachableError`, as often as the settings say."""


@dataclass(frozen=True)
class Snapshot:
    """What the run starts from.

    Attributes:
        clone: where the stages are to run.
        sources: imported ``.dvc`` files that were looked at.
        settings: of ``params.yaml`` that were set for this run.
        given: what of the files that git tracks was changed so far, by path.
    """

    clone: Clone
    sources: tuple[str, ...]
    settings: Mapping[str, Json]
    given: Mapping[str, bytes]


@dataclass(frozen=True)
class Report:
    """What there is to tell of a run: its ending, and the metrics around it by ``<file>.<key>``."""

    ending: Ending
    before: Metrics
    after: Metrics
    decision: str


def params_of(home: Path) -> Params:
    """The parameters of a project, by whose section ``weekly`` it runs.

    Raises:
        OperationError: a merge of them, or of DVC's settings, is not finished.
        ParamsError: they are not right.
    """
    surroundings.require_merged(home, "params.yaml", ".dvc/config")
    return files.read_params(home / "params.yaml")


def weekly_run(home: Path, engine: Engine, report: Callable[[Report], None]) -> Ending:
    """Run once.

    Args:
        home: the project, whose ``params.yaml`` has the settings of the run.
        engine: runs each step.
        report: tells people; what it raises is logged, since all is published by then.

    Raises:
        PricetrailError: a fault; nothing was published.
    """
    params = params_of(home)
    surroundings.require_cache(home)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)  # of the release's own talks with the remote
    try:
        for name in run_clone.reap(home):
            log.warning("run %s was cut off: removed what it left", name)
        with run_clone.run_folder(home) as folder:
            return _run(home, folder / "clone", params, _Timed(engine, home), report)
    except PricetrailError:
        raise
    except Exception as error:  # a full disk, a bug: one line for people, the rest in the debug log
        log.debug("", exc_info=True)
        raise OperationError("weekly run", f"must come to an end: {type(error).__name__}: {error}") from error


def _run(home: Path, folder: Path, params: Params, engine: _Timed, report: Callable[[Report], None]) -> Ending:
    weekly = params.weekly
    minutes = weekly.timeout_minutes
    s3.ensure_running(home)
    start = engine.step("snapshot", lambda: snapshot(home, weekly, folder), retried=True)
    made = engine.step("reproduce", lambda: steps.reproduce(start.clone, minutes), retried=True)
    clone, pushed = engine.step("push", lambda: push(start, made, minutes), retried=True)
    readback = engine.step("verify", lambda: steps.verify(clone, minutes, pushed), retried=True)
    start = replace(start, clone=clone)
    ending = engine.step("publish", lambda: publish(start, made.stopped, readback, weekly), retried=True)
    try:
        found = Report(ending, *_metrics(clone), _page(clone, made.stopped))
        engine.step("report", lambda: report(found))
    except Exception:  # all is published; who could not be told must not make it look otherwise
        log.exception("the run is over, and could not be reported")
    return replace(ending, seconds=engine.seconds)


def snapshot(home: Path, weekly: Weekly, folder: Path) -> Snapshot:
    """Clone the branch, update imported sources, set the settings of this run.

    Raises:
        UnreachableError: the repository or a source does not answer.
    """
    clone = run_clone.make(home, weekly, folder)
    surroundings.require_merged(clone.folder)
    surroundings.mend_cache(home, clone.folder, clone.cache)
    sources = steps.update_sources(clone, weekly.timeout_minutes)
    settings = steps.plan_tuning(clone)
    changed = [*sources, *(["params.yaml"] if settings else [])]
    return Snapshot(clone, sources, settings, {path: files.read_bytes(clone.folder / path) for path in changed})


def push(start: Snapshot, made: Reproduced, minutes: float) -> tuple[Clone, int]:
    """Send all objects to the remote, from a clone that no stage has been in; it, and how many the remote lacked.

    Raises:
        UnreachableError: the repository or the remote does not answer.
        OperationError: an output is not what git can keep.
    """
    top = start.clone.top.with_name("publishing")
    clone = run_clone.without_stages(start.clone, top, start.given, made.made, minutes)
    return clone, steps.push(clone, minutes)


def publish(start: Snapshot, stopped: str, readback: ReadBack, weekly: Weekly) -> Ending:
    """Commit, tag where a release is due, and push both at once.

    Raises:
        UnreachableError: the repository or the remote does not answer; nothing is published.
        OperationError: it refuses.
    """
    clone = start.clone
    outcome, sentence = _outcome(clone, stopped)
    keys = ensure_keys(clone.folder, clone.home) if outcome == Outcome.RELEASED and weekly.release else None
    text = message(outcome, sentence, *_metrics(clone), start.settings, start.sources)
    has_commit = publishing.commit(clone, text, weekly.author)
    versions = list[str]()

    def tag() -> tuple[str, ...]:
        if keys is None:
            return ()
        trust = trusted(clone.folder, clone.home, own=keys.fingerprint)
        if not make.is_release_due(clone.folder, "HEAD", trust):
            return ()
        release = make.tag_release(clone.folder, "HEAD", weekly.author, keys, clone.cache, trust)
        versions.append(release.record.version)
        return (release.tag, release.stage_tag)

    done = publishing.publish(clone, weekly.author, weekly.timeout_minutes, tag)
    ending = Ending(
        outcome=_named(outcome, done, has_commit or bool(stopped)),
        headline=" ".join(filter(None, (sentence, readback.lost))),
        base=clone.base,
        commit=clone.base if done.superseded_by else done.commit,
        version=versions[-1] if done.tags else "",
        objects=readback.objects,
        object_bytes=readback.object_bytes,
        message=text if has_commit else "",
    )
    if done.superseded_by:
        return replace(ending, headline=f"{done.superseded_by[:12]} was published first. {sentence}", message="")
    return ending


def _named(outcome: Outcome, done: Published, has_news: bool) -> Outcome:
    if done.superseded_by:
        return Outcome.SUPERSEDED
    if done.tags:
        return Outcome.RELEASED
    if not has_news:
        return Outcome.UNCHANGED
    return Outcome.PUBLISHED if outcome == Outcome.RELEASED else outcome


def _outcome(clone: Clone, stopped: str) -> tuple[Outcome, str]:
    """What the gates say of the candidate, and one sentence on it."""
    if stopped:
        return Outcome.WITHHELD, f"Stopped by the drift gate: {stopped}."
    decision = read_decision(files.read_json(clone.folder / DECISION), DECISION)
    return (Outcome.WITHHELD if decision.closed else Outcome.RELEASED), headline(decision)


def _metrics(clone: Clone) -> tuple[Metrics, Metrics]:
    """Values of the metrics files at the base and in the clone."""
    before, after = (  # without the verdicts of metrics/gates/, which the files of the checks have too
        dict(flat({name: tree for name, tree in Commit.at(rev, clone.folder).metrics.items() if "." not in name}))
        for rev in (clone.base, WORKSPACE)
    )
    return before, after


def _page(clone: Clone, stopped: str) -> str:
    """The decision's page; empty where the run stopped before it, and the page is an older run's."""
    page = clone.folder / "reports/decision.md"
    return files.read_text(page) if page.exists() and not stopped else ""


class _Timed:
    """An engine that also keeps the seconds of each step, and looks why one failed."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine, self._home = engine, home
        self.seconds: dict[str, float] = {}

    def step(self, name: str, work: Callable[[], T], retried: bool = False) -> T:
        """Run a step."""
        start = time.monotonic()
        try:
            return self._engine.step(name, lambda: surroundings.explained(self._home, work), retried)
        finally:
            self.seconds = {**self.seconds, name: round(time.monotonic() - start, 2)}
