"""A world for the scheduled run: a git remote, a project with its cache, an S3 bucket, all below one folder.

Each can be copied in a moment; a copy has its own ports. `Live` is a run that goes on, to be watched and hurt.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricetrail.operation.servers.s3 import edit_local_config
from support.clone import TINY, edit_params
from support.commands import PYTHON, environment, free_port, succeeded
from support.short_pipeline import DVC_YAML
from support.source_project import week
from support.source_tree import ROOT

LINES, BUCKET = "data/lines", "pricetrail"
AUTHOR = ("-c", "user.name=Ann", "-c", "user.email=ann@shop.example")
OURS, FOREIGN = "pricetrail-world", "world"  # access keys: of an embedded server, of one that is somebody else's
SECRET = "a-secret-of-this-world"
DIALS: dict[str, Any] = {
    "data.path": LINES,
    "shop.preset": "uci",
    "weekly.repository": "origin",
    "weekly.retries": 2,
    "weekly.retry_delay_seconds": 0.2,
    "weekly.timeout_minutes": 3,
}
WEEKS = {  # file: days of two sales each
    "2011-w44.csv.gz": ("2011-10-31", "2011-11-01", "2011-11-04"),
    "2011-w45.csv.gz": ("2011-11-07", "2011-11-08", "2011-11-11"),
    "2011-w46.csv.gz": ("2011-11-14", "2011-11-15", "2011-11-18"),
}
NEW_WEEK = "2011-w47.csv.gz"
NEW_DAYS = ("2011-11-21", "2011-11-22", "2011-11-25")
WAIT_SECONDS = 240.0


def packed(days: Sequence[str]) -> bytes:
    """A source file of some days."""
    return gzip.compress(week(*days).encode(), mtime=0)


@dataclass(frozen=True)
class Ended:
    """A run that is over.

    Attributes:
        code: of its exit; minus the signal that killed it.
        told: what it printed, `--json`; empty where it printed nothing.
        log: its stderr.
    """

    code: int
    told: dict[str, Any]
    log: str
    seconds: float

    @property
    def outcome(self) -> str:
        return str(self.told.get("outcome", ""))


@dataclass(frozen=True)
class World:
    """Everything is at a fixed place below ``box``."""

    box: Path

    @property
    def project(self) -> Path:
        return self.box / "project"

    @property
    def bare(self) -> Path:
        return self.box / "origin.git"

    @property
    def bucket(self) -> Path:
        return self.project / ".s3/data" / BUCKET

    @property
    def cache(self) -> Path:
        return self.project / ".dvc/cache"

    @property
    def runs(self) -> Path:
        return self.project / ".pricetrail/runs"

    @property
    def env(self) -> dict[str, str]:
        return {**environment(), "DVC_SITE_CACHE_DIR": str(self.box / "site"), "COLUMNS": "200"}

    def must(self, *command: str, folder: Path | None = None, **env: str) -> str:
        """A command that has to succeed, in the project."""
        done = subprocess.run(
            command, cwd=folder or self.project, env={**self.env, **env}, capture_output=True, text=True, check=False
        )
        return succeeded(done).stdout

    def git(self, *arguments: str, folder: Path | None = None, **env: str) -> str:
        return self.must("git", *AUTHOR, *arguments, folder=folder, **env)

    def tip(self) -> str:
        """The commit of the remote's branch."""
        return self.git("rev-parse", "refs/heads/main", folder=self.bare).strip()

    def dials(self, **changes: Any) -> None:
        """Change dials of the project's params.yaml, ``weekly__retries=0``."""
        file = self.project / "params.yaml"
        file.write_text(edit_params(file.read_text(), {key.replace("__", "."): v for key, v in changes.items()}))

    def share(self, message: str, folder: Path | None = None, **env: str) -> str:
        """Commit all, and push; the commit."""
        self.git("add", "-A", folder=folder)
        self.git("commit", "-q", "-m", message, folder=folder, **env)
        self.git("push", "-q", "origin", "HEAD:main", folder=folder)
        return self.git("rev-parse", "HEAD", folder=folder).strip()

    def add_lines(self, name: str, content: bytes) -> None:
        """A source file, tracked, committed and pushed."""
        (self.project / LINES / name).write_bytes(content)
        self.must("dvc", "add", "-q", LINES)
        self.share(f"Lines of {name}")

    @contextmanager
    def elsewhere(self) -> Iterator[Path]:
        """Another person's clone."""
        folder = self.box / "elsewhere"
        self.git("clone", "-q", str(self.bare), str(folder))
        yield folder
        shutil.rmtree(folder)

    def serve(self, port: int, key: str = OURS) -> None:
        """Where the project finds S3, and by which key."""
        settings = {"endpointurl": f"http://127.0.0.1:{port}", "access_key_id": key, "secret_access_key": SECRET}
        edit_local_config(self.project, {f"remote.s3.{name}": value for name, value in settings.items()})

    def s3(self) -> list[int]:
        """Servers of this world's bucket: the embedded one, and one that a test started."""
        marks = {os.fsencode(self.project / ".s3/server.key"), os.fsencode(self.bucket.parent)}
        return [pid for pid, told in processes() if marks & set(told["cmdline"].split(b"\0"))]

    def stop(self) -> None:
        """End every process that still works in this world."""
        for pid in [*self.processes(), *self.s3()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Those that work in a run's folder, told by where they are or by what they were given."""
        runs = os.fsencode(self.runs)
        return [pid for pid, told in processes() if any(runs in text for text in told.values())]

    def copy(self, box: Path) -> World:
        """Another world like this one, with a port of its own."""
        shutil.copytree(self.box, box, symlinks=True)
        world = World(box)
        world.serve(free_port())
        return world

    def clone_of_run(self) -> Path:
        """The clone of the run that goes on; somewhere that is not there while there is none."""
        return next(self.runs.glob("[0-9a-f]*/clone"), self.runs / "none")


class Live:
    """A run of ``pricetrail weekly`` that goes on."""

    def __init__(self, world: World, **env: str) -> None:
        self.world, self.start = world, time.monotonic()
        command = ["nice", PYTHON, "-m", "pricetrail.cli", "weekly", "--json"]
        self.process = subprocess.Popen(
            command, cwd=world.project, env={**world.env, **env}, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.lines: list[str] = []
        self.printed: list[str] = []
        pairs = ((self.process.stderr, self.lines), (self.process.stdout, self.printed))
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in pairs]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)

    def until(self, what: Callable[[], bool], name: str) -> bool:
        """Wait for something; False where the run is over before."""
        end = time.monotonic() + WAIT_SECONDS
        while not what():
            if self.process.poll() is not None:
                return what()
            assert time.monotonic() < end, f"{name} did not come\n" + "\n".join(self.lines)
            time.sleep(0.002)
        return True

    def until_said(self, pattern: str) -> None:
        """Wait for a line of the log; it has to come."""
        found = re.compile(pattern)
        came = self.until(lambda: any(found.search(line) for line in list(self.lines)), pattern)
        self.readers[0].join(0.5) if not came else None
        assert came or found.search("\n".join(self.lines)), f"{pattern} did not come\n" + "\n".join(self.lines)

    def until_step(self, name: str) -> None:
        """Wait for the begin of a step."""
        self.until_said(rf"^\S+ {name}$")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """A signal to the flow alone, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def end(self) -> Ended:
        """Wait for its end."""
        code = self.process.wait(WAIT_SECONDS)
        seconds = time.monotonic() - self.start
        for reader in self.readers:  # what it started may hold its streams
            reader.join(2)
        text = "\n".join(self.printed)
        return Ended(code, json.loads(text) if text.startswith("{") else {}, "\n".join(self.lines), seconds)


def run(world: World, **env: str) -> Ended:
    """A run from its begin to its end."""
    return Live(world, **env).end()


def processes() -> Iterator[tuple[int, dict[str, bytes]]]:
    """Number, folder and command line of each process that lives."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            folder = os.fsencode((process / "cwd").readlink())
            yield int(process.name), {"cwd": folder, "cmdline": (process / "cmdline").read_bytes()}


def make_world(box: Path) -> World:
    """Three weeks, published and released by a run; a fourth week is committed, and due."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of a shell's background would pass on to ignore it
    world = World(box)
    project = world.project
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if re.match(r"src/|\.dvc/|\.dvcignore|\.gitignore|params\.yaml|requirements\.lock|tests/support/short_", name):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name, follow_symlinks=False)
    (project / "dvc.yaml").write_text(DVC_YAML)
    world.dials(**{key.replace(".", "__"): value for key, value in {**TINY, **DIALS}.items()})
    world.git("init", "-q", "-b", "main")
    world.git("init", "-q", "--bare", "-b", "main", str(world.bare))
    world.git("remote", "add", "origin", "../origin.git")
    world.git("config", "gc.auto", "0", folder=world.bare)
    (project / LINES).mkdir(parents=True)
    for name, days in WEEKS.items():
        (project / LINES / name).write_bytes(packed(days))
    world.must("dvc", "add", "-q", LINES)
    world.share("A shop")
    world.serve(free_port())
    first = run(world)
    assert first.outcome == "Released", first
    world.git("pull", "-q", "origin", "main")
    world.add_lines(NEW_WEEK, packed(NEW_DAYS))
    world.stop()
    return world


def warm(world: World, box: Path) -> World:
    """A copy whose cache holds what the due run will make: DVC's run cache restores it; nothing else of it is there."""
    ahead = world.copy(box.with_name(f"{box.name}-ahead"))
    done = run(ahead)
    assert done.outcome == "Released", done
    ahead.stop()
    copy = world.copy(box)
    shutil.rmtree(copy.cache)
    ahead.cache.rename(copy.cache)
    shutil.rmtree(ahead.box)
    return copy
