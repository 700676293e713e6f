"""Prefect's server for one project: on 127.0.0.1, its database in ``.pricetrail/prefect`` unless the environment says.

Whoever may speak to it can make it run commands. So it asks for a login that only the owner of the project can read,
and its port is held by the schedule: while the server is down, nobody else can listen there and be told that login.

Nothing here imports Prefect: it reads its settings from the environment when it is imported, and those are made here.
"""

import logging
import os
import secrets
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import psutil

from pricetrail.base.errors import OperationError
from pricetrail.base.files import private_folder, read_text, write_bytes, write_text
from pricetrail.base.processes import end, is_running, start_server
from pricetrail.operation.schedule.database import HOME
from pricetrail.operation.servers.s3 import HOST, answers

PORT: Final = 4200  # where people look for Prefect
SERVER: Final = "pricetrail.operation.schedule.server_process"
START_SECONDS: Final = 180.0  # the first start makes the database
STOP_SECONDS: Final = 15.0
WATCH_SECONDS: Final = 2.0
BACKLOG: Final = 2048  # connections that wait while the server starts
MARK: Final = "PRICETRAIL_SCHEDULE"  # names the project in the environment of its server
LOGIN: Final = Path(".pricetrail/prefect-login")
OURS: Final = "PREFECT_API_AUTH_STRING"  # what programs log in with
WANTED: Final = "PREFECT_SERVER_API_AUTH_STRING"  # what the server asks for

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A server of a project, running or not.

    Attributes:
        folder: the project's ``.pricetrail``, absolute.
        port: where it listens.
        socket: number of the socket that listens there, which this process holds; -1 where it holds none.
        login: ``user:password`` that it asks for.
    """

    folder: Path
    port: int
    socket: int = -1
    login: str = field(default="", repr=False)

    @property
    def ui(self) -> str:
        """The address that people open."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """The address that programs talk to."""
        return f"{self.ui}/api"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "prefect-server.log"

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers.

        Raises:
            OperationError: it does not come up.
        """
        if self.pid() is None:
            self._launch()
        deadline = time.monotonic() + START_SECONDS
        while not self.is_healthy():
            if self.pid() is None or time.monotonic() > deadline:
                raise OperationError("Prefect's server", f"must start: see {self.log}")
            time.sleep(0.1)

    def _launch(self) -> None:
        command = [sys.executable, "-m", SERVER, str(self.socket)]
        given = {MARK: str(self.folder), WANTED: self.login}  # on no command line: everybody can read those
        own = {"PREFECT_UI_API_URL": self.api, "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": self.ui}
        given |= {key: value for key, value in own.items() if key not in os.environ}
        process = start_server(command, self.log, given, [self.socket])  # Ctrl-C ends the runs before their server
        write_text(_record(self.folder), f"{process.pid} {self.port}")

    def is_healthy(self) -> bool:
        """Whether it answers."""
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.api}/health", timeout=5).status_code == httpx.codes.OK
        return False

    def pid(self) -> int | None:
        """The number of its process; None where that is gone, or is now another program's."""
        return int(process.pid) if (process := self._process()) else None

    def _process(self) -> psutil.Process | None:
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int(_record(self.folder).read_text(encoding="utf-8").split()[0]))
            if is_running(process) and process.environ().get(MARK) == str(self.folder):
                return process
        return None

    def stop(self) -> None:
        """End it."""
        if process := self._process():
            end(process, STOP_SECONDS)
        _record(self.folder).unlink(missing_ok=True)


def settings(project: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment of a server and of its runs lacks: no telemetry, a home of its own.

    >>> settings(Path("/shop"), {"PREFECT_HOME": "/srv/prefect", "PREFECT_API_URL": "http://prefect:4200/api"})
    {'PREFECT_SERVER_ANALYTICS_ENABLED': 'false', 'DO_NOT_TRACK': '1'}
    """
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    if environ.get("PREFECT_API_URL"):  # an empty one is none, as for the schedule
        return quiet
    own = {
        "PREFECT_HOME": str(project.absolute() / HOME),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # slots on disk, so that a server that was killed gives its run's slot back to that run
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    others = environ.get("no_proxy") or environ.get("NO_PROXY")
    direct = ",".join(filter(None, [others, HOST]))  # no proxy is told the login
    return {**quiet, "no_proxy": direct, **{key: value for key, value in own.items() if key not in environ}}


def login_of(project: Path, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    """The ``user:password`` of a project's server, and the file that holds it: its own, made on first use.

    One that somebody else may have read is made anew. One of the environment goes before it, and has no file.

    Raises:
        OperationError: it cannot be kept from others.
    """
    if given := environ.get(WANTED) or environ.get(OURS):
        return given, None
    file = project.absolute() / LOGIN
    try:
        private_folder(file.parent)
        if is_secret(file):
            return read_text(file), file
        made = f"pricetrail:{secrets.token_urlsafe(32)}"
        write_bytes(file, made.encode(), mode=0o600)
    except OSError as error:
        raise OperationError(str(file), f"must be a file that only you can read and write: {error.strerror}") from None
    return made, file


def is_secret(file: Path) -> bool:
    """Whether a file is there, is this user's, and nobody else may read or write it."""
    with suppress(FileNotFoundError):
        found = file.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    return False


@contextmanager
def serving(project: Path, login: str) -> Iterator[Server]:
    """The project's server, kept running inside of this, ended after it; one that outlived a kill is replaced.

    Raises:
        OperationError: it does not come up, or ``.pricetrail`` is another user's.
    """
    folder = private_folder(project.absolute() / ".pricetrail")
    left = _recorded(folder)
    with _listening(left.port if left else 0 if answers(PORT) else PORT) as held:
        if left:  # only now: its port is nobody else's at any moment
            left.stop()
        server = Server(folder, held.getsockname()[1], held.fileno(), login)
        with _running(server):
            yield server


@contextmanager
def _running(server: Server) -> Iterator[None]:
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, done), daemon=True)
    try:
        server.start()
        watcher.start()
        yield
    finally:
        done.set()
        server.stop()
        if watcher.is_alive():
            watcher.join()
            server.stop()  # that the watcher may have started again just now


def _listening(port: int) -> socket.socket:
    """A socket on a port, or on a free one where that is another's.

    A port that a socket of this user shares (``SO_REUSEPORT``) is shared with no other user.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        held.bind((HOST, port))
    except OSError:
        held.bind((HOST, 0))
    held.listen(BACKLOG)
    return held


def _watch(server: Server, done: threading.Event) -> None:
    """Start a server again that was killed; runs wait for it, since their client tries again for a minute."""
    while not done.wait(WATCH_SECONDS):
        if server.pid() is not None:
            continue
        log.warning("Prefect's server is gone: started again")
        try:
            server.start()
        except OperationError as error:
            log.warning("%s", error)


def _record(folder: Path) -> Path:
    return folder / "prefect-server"


def _recorded(folder: Path) -> Server | None:
    """The server that an earlier schedule left running."""
    with suppress(OSError, ValueError):
        server = Server(folder, int(_record(folder).read_text(encoding="utf-8").split()[1]))
        return server if server.pid() is not None else None
    return None
