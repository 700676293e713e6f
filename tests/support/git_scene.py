"""Git as people set it up: hubs, hooks, global settings, owners; and a weekly run without its stages in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pricetrail.base.errors import PricetrailError
from pricetrail.base.params import parse_params
from pricetrail.base.params_schema import Weekly
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.weekly import clone, publish
from pricetrail.operation.weekly.clone import Clone
from pricetrail.operation.weekly.retrying import Foreground
from support.release_sample import sign_version
from support.source_tree import ROOT
from support.tiny_project import WHO, TinyProject

BOT = "Bot <bot@example.org>"
RETRIES = 2
NOBODY = 65534


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        told: its error; empty where it published.
        tries: of the step that failed last.
        commit: that it published.
    """

    told: str
    tries: int
    commit: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class GitScene:
    """A project, its hub, and the global settings of who runs git."""

    project: TinyProject
    box: Path

    @property
    def hub(self) -> Path:
        return self.project.bare

    @property
    def home(self) -> Path:
        return self.project.folder

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        return self.project.must("git", *WHO, *arguments, folder=folder)

    def settings(self, text: str) -> None:
        """Of git, for all of this user's repositories: for the code under test, not for the test's own commands."""
        with (self.box / "gitconfig").open("a") as file:
            file.write(text + "\n")

    def hooks(self, name: str, script: str, folder: Path | None = None) -> None:
        """A hook of a repository; of all of this user's without one."""
        place = folder / "hooks" if folder else self.box / "hooks"
        place.mkdir(exist_ok=True)
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)
        if not folder:
            self.settings(f"[core]\nhooksPath = {place}")

    def owned_by(self, place: Path, user: int = NOBODY) -> None:
        if os.geteuid():
            pytest.skip("only root gives files away")
        subprocess.run(["chown", "-R", str(user), str(place)], check=True)

    def run(
        self,
        tag: Callable[[Clone], Sequence[str]] = lambda _: (),
        meanwhile: Callable[[], object] = lambda: None,
        home: Path | None = None,
        **dials: object,
    ) -> Ended:
        """Snapshot, a new lock, publish: each tried as `pricetrail weekly` does."""
        weekly = parse_params((ROOT / "params.yaml").read_text()).weekly
        given = {"repository": "origin", "retries": RETRIES, "retry_delay_seconds": 0.01, "timeout_minutes": 0.2}
        weekly = weekly.model_copy(update={**given, **dials})
        tries = 0

        def counted(work: Callable[[], object]) -> object:
            nonlocal tries
            tries += 1
            return work()

        def step(name: str, work: Callable[[], object]) -> object:
            nonlocal tries
            tries = 0
            return Foreground(weekly).step(name, lambda: counted(work), retried=True)

        folder = self.box / "run"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            made = step("snapshot", lambda: clone.make(home or self.home, weekly, folder))
            assert isinstance(made, Clone)
            (made.folder / "dvc.lock").write_text("stages: {}\n")
            meanwhile()
            done = step("publish", lambda: _publish(made, weekly, tag))
            assert isinstance(done, publish.Published)
        except PricetrailError as error:
            return Ended(str(error), tries)
        assert not done.superseded_by, done
        return Ended("", tries, done.commit, done.tags)


def _publish(made: Clone, weekly: Weekly, tag: Callable[[Clone], Sequence[str]]) -> publish.Published:
    publish.commit(made, "Weekly run: released\n\nAll gates are open.\n", BOT)
    return publish.publish(made, BOT, weekly.timeout_minutes, lambda: tag(made))


def releasing(made: Clone) -> Sequence[str]:
    """Both tags of a release, signed and named as a run does it."""
    keys = ensure_keys(made.folder, made.home)
    registry = Registry.read(made.folder, trusted(made.folder, made.home))
    version = sign_version(made.folder, registry.next_version, keys)
    return (version.tag.name, registry.assign(made.folder, version, BOT, keys))


@contextmanager
def answering(code: int, location: str = "") -> Iterator[str]:
    """A hub that gives every request the same answer; its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            if location:
                self.send_header("Location", location + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/shop.git"
    server.shutdown()
    server.server_close()
