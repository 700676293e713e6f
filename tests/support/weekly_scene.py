"""A world in which a fault happens: what the faults of the operation are made of."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support.chaos import Chaos
from support.commands import free_port
from support.weekly_world import FOREIGN, SECRET, Ended, Live, World

STEPS: Final = ("snapshot", "reproduce", "push", "verify", "publish", "report")


class NotHere(Exception):  # noqa: N818  not an error
    """This machine cannot have the fault."""


class ForeignS3:
    """A server that is no embedded one, behind a proxy that can be bad."""

    def __init__(self, world: World) -> None:
        self.folder, self.port = world.project / ".s3/data", free_port()
        self.start()
        self.chaos = Chaos(free_port(), self.port)
        world.serve(self.chaos.server.server_port, FOREIGN)

    def start(self) -> None:
        command = [sys.executable, "-m", "nanio", "serve", "--data-dir", str(self.folder), "--no-access-log"]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"],
            env={**os.environ, "NANIO_ACCESS_KEY": FOREIGN, "NANIO_SECRET_KEY": SECRET},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("nanio did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Scene:
    """A world, and what is done to it.

    Attributes:
        s3: a foreign server; None where the project has its embedded one.
        random: draws the moments.
        last: what is undone when all is over.
    """

    world: World
    random: random.Random
    s3: ForeignS3 | None = None
    last: ExitStack = field(default_factory=ExitStack)

    @property
    def chaos(self) -> Chaos:
        assert self.s3 is not None
        return self.s3.chaos

    def pause(self, most: float) -> None:
        """Wait for up to so many seconds."""
        time.sleep(self.random.uniform(0, most))

    def objects(self) -> set[Path]:
        """Those of the bucket, without what nanio writes down of each."""
        return {path for path in (self.world.bucket / "dvc/files/md5").glob("*/*") if path.is_file()}

    @contextmanager
    def dials(self, **changes: object) -> Iterator[None]:
        """Other dials of the run, in the project alone: nobody commits them."""
        file = self.world.project / "params.yaml"
        text = file.read_text()
        self.world.dials(**changes)
        yield
        file.write_text(text)

    @contextmanager
    def away(self, path: Path) -> Iterator[None]:
        """Something is not there."""
        aside = self.world.box / "aside"
        path.rename(aside)
        yield
        aside.rename(path)

    @contextmanager
    def hook(self, name: str, script: str) -> Iterator[None]:
        """A hook of the git remote."""
        file = self.world.bare / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
        yield
        file.unlink()

    @contextmanager
    def small_disk(self, folder: Path, free: int) -> Iterator[None]:
        """A folder on a disk of its own with so many bytes left; large enough afterwards.

        Raises:
            NotHere: this user may not mount.
        """
        folder.mkdir(parents=True, exist_ok=True)
        aside = self.world.box / "aside"
        used = sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())
        folder.rename(aside)
        folder.mkdir()
        try:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={used + free}", "tmpfs", str(folder)],
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            raise NotHere("mount is not installed") from None
        if done.returncode:
            raise NotHere(f"mount: {done.stderr.strip()}")
        self.last.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
        shutil.copytree(aside, folder, dirs_exist_ok=True, symlinks=True)
        yield
        subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)

    def start(self) -> Live:
        live = Live(self.world)
        self.last.callback(live.kill)
        return live

    def run(self) -> Ended:
        return self.start().end()

    def run_to(self, step: str, then: Callable[[], object]) -> Ended:
        """A run during which something happens, at the begin of a step."""
        live = self.start()
        live.until_step(step)
        then()
        return live.end()

    def kill_child(self, *words: str, parent: Live) -> None:
        """Kill -9 of the first program of the run that has these words in its command line."""
        found = [0]

        def look() -> bool:
            for pid in self.world.processes():
                with suppress(OSError):
                    told = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    if all(os.fsencode(word) in told for word in words) and pid != parent.process.pid:
                        found[0] = pid
                        return True
            return False

        assert parent.until(look, f"a program {words}")
        os.kill(found[0], signal.SIGKILL)

    def kill_all(self, live: Live) -> None:
        """Kill -9 of the flow and of everything that it started: the machine goes off."""
        live.kill()
        self.world.stop()
