"""Finished trials on disk, so that a study that was killed goes on where it was.

The file is no output of a stage: DVC deletes outputs before a stage runs. Its name is a digest of all that decides the
study, so that a journal of other data, parameters or code is never taken up; it is deleted when the stage is done.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

log = logging.getLogger(__name__)

STUDY: Final = "primary"
REASON: Final = "reason"  # user attribute of a trial that failed


def digest(parts: Iterable[bytes]) -> str:
    """One name for all that decides a study; the order counts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:32]


def open_journal(folder: Path, parts: Iterable[bytes]) -> Journal:
    """The journal of the study that ``parts`` decide: another parameter, row or line of code is another file."""
    return Journal(folder / f"{digest(parts)}.journal")


class Journal:
    """The trials of one study in a file (Optuna's journal storage: appended, line by line).

    Args:
        path: of the file; None keeps the study in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def open(self, pruner: optuna.pruners.BasePruner) -> optuna.Study:
        """A study that holds every finished trial of the last attempt, and none that was cut off.

        A cut-off trial would keep its number, and the trials after it would draw other values than in an unbroken
        run. So each attempt writes a file of its own, begun with the finished trials of the one before, which takes
        the place of the old file once these are in it. The study's name never changes: Hyperband draws from it.
        """
        if self.path is None:
            return optuna.create_study(direction="minimize", pruner=pruner, study_name=STUDY)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        finished = _finished(self.path) if self.path.exists() else []
        begun = self.path.with_name(f"{self.path.name}.new")
        for rest in (begun, _lock(begun), _lock(self.path)):  # of a process that was killed
            rest.unlink(missing_ok=True)
        optuna.create_study(direction="minimize", storage=_storage(begun), study_name=STUDY).add_trials(finished)
        begun.replace(self.path)
        return optuna.load_study(study_name=STUDY, storage=_storage(self.path), pruner=pruner)

    def delete(self) -> None:
        """Forget the trials; what the study found is in the stage's outputs now."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _storage(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


def _lock(path: Path) -> Path:
    """Where Optuna's lock of a journal is; one left behind would be waited for."""
    return path.with_name(f"{path.name}.lock")


def _finished(path: Path) -> list[FrozenTrial]:
    """The finished trials; one that failed without a reason was cut off by an interrupt or an error in the code."""
    storage = _storage(path)
    studies = storage.get_all_studies()
    trials = storage.get_all_trials(studies[0]._study_id) if studies else []
    finished = [
        trial
        for trial in trials
        if trial.state.is_finished() and (trial.state is not TrialState.FAIL or REASON in trial.user_attrs)
    ]
    log.info("resuming: %d finished trials in %s", len(finished), path)
    return finished
