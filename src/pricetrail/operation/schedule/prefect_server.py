"""Prefect's server for one project: on 127.0.0.1, its database in ``.pricetrail/prefect`` unless the environment says.

Nothing here imports Prefect: it reads its settings from the environment when it is imported, and those are made here.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from pricetrail.base.errors import OperationError
from pricetrail.base.files import write_text
from pricetrail.base.processes import end, is_running, start_server
from pricetrail.operation.servers.s3 import HOST, answers, free_port

PORT: Final = 4200  # where people look for Prefect
START_SECONDS: Final = 180.0  # the first start makes the database
STOP_SECONDS: Final = 15.0
WATCH_SECONDS: Final = 2.0
MARK: Final = "PRICETRAIL_SCHEDULE"  # names the project in the environment of its server

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A server of a project, running or not.

    Attributes:
        folder: the project's ``.pricetrail``, absolute.
        port: where it listens.
    """

    folder: Path
    port: int

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
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(self.port)]
        process = start_server(command, self.log, {MARK: str(self.folder)})  # Ctrl-C ends the runs before their server
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
    if "PREFECT_API_URL" in environ:
        return quiet
    own = {
        "PREFECT_HOME": str(project.absolute() / ".pricetrail" / "prefect"),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # slots on disk, so that a server that was killed gives its run's slot back to that run
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    return {**quiet, **{key: value for key, value in own.items() if key not in environ}}


@contextmanager
def serving(project: Path) -> Iterator[Server]:
    """The project's server, kept running inside of this, ended after it; one that outlived a kill is taken over.

    Raises:
        OperationError: it does not come up.
    """
    folder = project.absolute() / ".pricetrail"
    folder.mkdir(exist_ok=True)
    server = _recorded(folder) or Server(folder, free_port() if answers(PORT) else PORT)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, done), daemon=True)
    try:
        server.start()
        watcher.start()
        yield server
    finally:
        done.set()
        server.stop()
        if watcher.is_alive():
            watcher.join()
            server.stop()  # that the watcher may have started again just now


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
