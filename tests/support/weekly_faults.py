"""Faults of the scheduled run: each is put into a world in which a week is due; `docs/reliability.md` is this list.

After each, nothing is half published, and the next run, without the fault, publishes what is due, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from support import weekly_acts as acts
from support import weekly_acts_git as acts_git
from support import weekly_acts_s3 as acts_s3
from support.weekly_scene import Scene
from support.weekly_world import Ended

KILLED, FAULT, FINE = -9, 1, 0
Act = Callable[[Scene], list[Ended]]


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: what happens.
        survived_by: how the run takes it, and who repairs it.
        act: sets it up, runs under it, takes it away.
        codes: exits of the runs under it, in order; None where 0 and 1 are right.
        says: regular expression of what they say: log and headline, or outcome.
        is_published: whether a publication came through under it; None where either is right.
        cache: `warm`, or `cold`: whether the run finds the stages' outputs in DVC's run cache.
        foreign: S3 is another's, behind a proxy.
        runs, releases: published from the fault to the end of the next run.
        before: how the world is made ready for it; what is there then must stay.
        edits: people work in the project meanwhile.
    """

    name: str
    survived_by: str
    act: Act
    codes: tuple[int | None, ...]
    says: str = ""
    is_published: bool | None = False
    cache: str = "warm"
    foreign: bool = False
    runs: int = 1
    releases: int = 1
    before: Callable[[Scene], None] = acts.nothing
    edits: bool = False


NEXT = "nothing was published; the next run removes what it left and publishes"
EITHER = "all or nothing was published; the next run publishes the rest, or finds nothing to do"
RETRY = "the step is tried again; published"
SAYS = "the run says why and publishes nothing; the next one does"

FAULTS: tuple[Fault, ...] = (
    Fault("`kill -9` of the flow in snapshot", NEXT, acts.killed_in("snapshot", 0.2), (KILLED,)),
    Fault(
        "`kill -9` of the flow in reproduce, an early stage running",
        NEXT,
        acts.killed_in_stage("etl_pipeline", 1.0),
        (KILLED,),
        cache="cold",
    ),
    Fault(
        "`kill -9` of the flow in reproduce, in `tune_primary_model`",
        NEXT,
        acts.killed_in_stage("tune_primary_model", 0.3),
        (KILLED,),
        cache="cold",
    ),
    Fault("`kill -9` of the flow in push", NEXT, acts.killed_in("push", 1.5), (KILLED,)),
    Fault("`kill -9` of the flow in verify", NEXT, acts.killed_in("verify", 1.0), (KILLED,)),
    Fault("`kill -9` of the flow in publish, before its commit", NEXT, acts.killed_in("publish", 0.0), (KILLED,)),
    Fault(
        "`kill -9` of the flow in publish, between its tags and its push",
        EITHER,
        acts.killed_when_tagged,
        (KILLED,),
        is_published=None,
    ),
    Fault(
        "`kill -9` of the flow in publish, right after its push",
        "all was published; the next run finds nothing to do",
        acts.killed_when_pushed,
        (KILLED,),
        is_published=True,
    ),
    Fault(
        "`kill -9` of the flow in report",
        "all was published; the next run finds nothing to do",
        acts.killed_in_report,
        (KILLED,),
        is_published=True,
    ),
    Fault(
        "the machine goes off in push: `kill -9` of all of the run's processes and of S3",
        NEXT,
        acts.machine_off("push", 1.5),
        (KILLED,),
    ),
    Fault(
        "the machine goes off in publish",
        EITHER,
        acts.machine_off("publish", 1.8),
        (KILLED,),
        is_published=None,
    ),
    Fault(
        "the next run is killed too, while it removes what the first left", NEXT, acts.killed_twice, (KILLED, KILLED)
    ),
    Fault("SIGTERM in reproduce", SAYS, acts.terminated, (FAULT,), "must not be stopped", cache="cold"),
    Fault("Ctrl-C in push", SAYS, acts.interrupted, (130,)),
    Fault(
        "`kill -9` of a stage's process (out of memory)",
        SAYS,
        acts.stage_killed,
        (FAULT,),
        "stage tune_primary_model",
        cache="cold",
    ),
    Fault("`kill -9` of `dvc push`", RETRY, acts.dvc_push_killed, (FINE,), "again in", True),
    Fault(
        "the embedded S3 killed in push",
        "the step starts it and is tried again; published",
        acts_s3.embedded_killed,
        (FINE,),
        "Released",
        True,
    ),
    Fault("S3 down before push", SAYS, acts_s3.down_at("push"), (FAULT,), "dvc push", foreign=True),
    Fault(
        "S3 dies in push, when the first object arrived",
        SAYS,
        acts_s3.dies_in_push,
        (FAULT,),
        "dvc push",
        foreign=True,
    ),
    Fault("S3 down after push", SAYS, acts_s3.down_at("verify"), (FAULT,), "verify: .*remote_check", foreign=True),
    Fault("S3 down when the release is made", SAYS, acts_s3.down_at("publish"), (FAULT,), "must answer", foreign=True),
    Fault(
        "S3 answers 500 for a while",
        RETRY,
        acts_s3.status_for_a_while(500, "push"),
        (FINE,),
        "again in",
        True,
        foreign=True,
    ),
    Fault(
        "S3 answers 503 for a while",
        RETRY,
        acts_s3.status_for_a_while(503, "verify"),
        (FINE,),
        "again in",
        True,
        foreign=True,
    ),
    Fault(
        "S3 answers 503 for a while when the release is made",
        RETRY,
        acts_s3.status_for_a_while(503, "publish"),
        (FINE,),
        "again in",
        True,
        foreign=True,
    ),
    Fault("S3 answers 503 to everything", SAYS, acts_s3.status(503), (FAULT,), foreign=True),
    Fault("S3 answers 403: the key was taken away", SAYS, acts_s3.status(403), (FAULT,), foreign=True),
    Fault("S3 passes 1 KB a second", SAYS, acts_s3.slow, (FAULT,), "must end within 0.5 minutes", foreign=True),
    Fault("S3 cuts off what it is asked for", SAYS, acts_s3.cut_get, (FAULT,), foreign=True),
    Fault(
        "S3 keeps half of what it is sent",
        "refused by the server, or read back and sent again",
        acts_s3.cut_put,
        (FAULT,),
        foreign=True,
    ),
    Fault(
        "a new object corrupted in the remote",
        "read back, sent again from the cache; published",
        acts_s3.new_object_corrupted,
        (FINE,),
        "sent again",
        True,
    ),
    Fault(
        "an object of the lock lost from the remote",
        "sent again from the cache; published",
        acts_s3.object_lost,
        (FINE,),
        "Released",
        True,
    ),
    Fault(
        "an old object corrupted in the remote, and not in the cache",
        "refused (`verify true`); once it is put back the next run publishes",
        acts_s3.old_object_corrupted,
        (FAULT,),
    ),
    Fault("the disk of the cache full", SAYS, acts.disk_full("cache", 48 * 1024), (FAULT,), cache="cold"),
    Fault("the disk of the run's folder full", SAYS, acts.disk_full("runs", 512 * 1024), (FAULT,)),
    Fault("the disk of S3 full", SAYS, acts.disk_full("bucket", 64 * 1024), (FAULT,)),
    Fault(
        "two flows at once",
        "one publishes, the other ends as Superseded",
        acts_git.two_at_once,
        (FINE, FINE),
        "(?s)Released.*Superseded",
        True,
    ),
    Fault(
        "the branch moved by a commit of docs",
        "put on top of it; published",
        acts_git.branch_moved_by_docs,
        (FINE,),
        "rebased",
        True,
    ),
    Fault(
        "the branch moved by a commit of params",
        "ends as Superseded, publishes nothing; the next run does",
        acts_git.branch_moved_by_params,
        (FINE,),
        "Superseded",
    ),
    Fault("the git remote down at snapshot", SAYS, acts_git.git_down_from_start, (FAULT,), "git clone|git ls-remote"),
    Fault("the git remote down at publish", SAYS, acts_git.git_down_at_publish, (FAULT,), "git"),
    Fault("the git remote refuses", SAYS, acts_git.git_refuses, (FAULT,), "no pushes on Mondays"),
    Fault(
        "`git push` cut off before the remote took it",
        RETRY,
        acts_git.git_push_cut("pre-receive"),
        (FINE,),
        "again in",
        True,
    ),
    Fault(
        "`git push` cut off after the remote took it",
        "the run finds its own commit there: published, once",
        acts_git.git_push_cut("post-receive"),
        (FINE,),
        "Released",
        True,
    ),
    Fault(
        "the git remote took the push and answers too late",
        "the run finds its own commit there: published, once",
        acts_git.git_answers_late,
        (FINE,),
        "Released",
        True,
    ),
    Fault("a stale lock file in the git remote", SAYS, acts_git.stale_lock_in_remote, (FAULT,), "lock"),
    Fault(
        "stale lock files in the project",
        "they do not concern the run; published",
        acts.stale_locks_in_project,
        (FINE,),
        "Released",
        True,
    ),
    Fault(
        "a source file half-written",
        "ETL names it, nothing is published; once it is whole the next run publishes",
        acts.half_written,
        (FAULT,),
        "2011-w48",
        edits=True,
    ),
    Fault(
        "the clock set back: branch and release are of 2099",
        "order follows git and the tags' numbers; published",
        acts.a_run,
        (FINE,),
        "Released",
        True,
        before=acts_git.clock_ahead,
    ),
    Fault(
        "params and lines edited in the working tree during the run",
        "the run works on its own clone; published",
        acts.edited_meanwhile,
        (FINE,),
        "Released",
        True,
    ),
    Fault(
        "`.dvc/tmp` of the project deleted during the run",
        "nothing of the run is there; published",
        acts.project_tmp_deleted,
        (FINE,),
        "Released",
        True,
    ),
    Fault("`.dvc/tmp` of the run deleted during reproduce", EITHER, acts.run_tmp_deleted, (None,), is_published=None),
    Fault("the run's folder deleted during push", SAYS, acts.run_folder_deleted, (FAULT,)),
    Fault(
        "the cache wiped: a new machine",
        "restored from the remote; published",
        acts_s3.cache_wiped,
        (FINE,),
        "Released",
        True,
    ),
    Fault("the private release key missing", SAYS, acts.key_missing, (FAULT,), "private half"),
    Fault(
        "a gate closes",
        "Withheld: the evidence is published, no release; the next run without the cause releases",
        acts.gate_closes,
        (FINE,),
        "Withheld",
        True,
        runs=2,
        edits=True,
    ),
    Fault("the webhook does not answer", "logged; published", acts.webhook_dead, (FINE,), "Released", True),
)

# Faults whose tests are elsewhere: name, how they are survived, `tests/<file>.py::<test>`.
ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    (
        "`kill -9` of Prefect's server",
        "started again at its address; the runs that need it go on",
        "tests/operation/test_schedule_server.py::test_only_what_was_out_of_reach_is_tried_again",
    ),
    (
        "`kill -9` of worker and flow together",
        "the next start ends what they left Running, and removes the run's folder",
        "tests/operation/test_schedule_server.py::test_the_next_start_repairs_a_killed_schedule_and_run",
    ),
)
