"""The embedded S3 server: nanio on this machine alone, its objects in ``.s3/``, its keys in ``.dvc/config.local``.

It serves a project whose remote points at 127.0.0.1 and names no other credentials. With a remote of your own (AWS,
MinIO, a folder) nothing here starts anything.
"""

import secrets
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dvc.config import Config
from dvc.config import ConfigError as DvcConfigError
from psutil import Process

from pricetrail.base.errors import OperationError
from pricetrail.base.files import write_text
from pricetrail.base.locks import alone
from pricetrail.base.processes import end, matching, start_server

HOST: Final = "127.0.0.1"
FOLDER: Final = ".s3"
LOCK: Final = "lock"  # in it: two runs must not start two servers
KEY_PREFIX: Final = "pricetrail"  # tells our keys from those of a server that somebody else runs here
START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Store:
    """An embedded server.

    Attributes:
        folder: its ``.s3``.
        remote: name of the DVC remote that it serves.
    """

    folder: Path
    remote: str
    bucket: str
    port: int
    access_key: str
    secret_key: str

    @property
    def objects(self) -> Path:
        """The folder of its buckets."""
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        """Where the number of its process is."""
        return self.folder / "server.pid"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "server.log"

    def is_running(self) -> bool:
        """Whether its process lives and answers."""
        return bool(self._processes()) and answers(self.port)

    def _processes(self) -> tuple[Process, ...]:
        """Those that serve its folder, by their command line: who wrote the file may have been killed before."""
        return matching(lambda process: {str(self.objects), "nanio"} <= set(process.cmdline()))

    def start(self) -> None:
        """Start it where it is not running; it stays after this program's end.

        Raises:
            OperationError: it does not come up, or another server has its port.
        """
        with alone(self.folder / LOCK):
            if not self.is_running():
                self._start()

    def _start(self) -> None:
        if not self._processes() and answers(self.port):
            rule = "must be free for the embedded S3: another server answers there"
            raise OperationError(f"{HOST}:{self.port}", rule)
        (self.objects / self.bucket).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "nanio", "serve", "--data-dir", str(self.objects), "--no-access-log"]
        command += ["--host", HOST, "--port", str(self.port), "--log-level", "warning"]
        keys = {"NANIO_ACCESS_KEY": self.access_key, "NANIO_SECRET_KEY": self.secret_key}
        process = start_server(command, self.log, keys)
        write_text(self.pid_file, str(process.pid))
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise OperationError("embedded S3", f"must start: see {self.log}")
            time.sleep(0.05)

    def stop(self) -> bool:
        """End it; False where it was not running."""
        present = self._processes()  # two, where .dvc/config.local was lost while one ran
        for process in present:
            end(process)
        self.pid_file.unlink(missing_ok=True)
        return bool(present)


def embedded(project: Path, remote: str = "") -> Store | None:
    """The project's embedded server, its keys and port made on first use; None where the remote is another's.

    Args:
        project: its folder.
        remote: name of the remote; empty for the default one.

    Raises:
        OperationError: DVC's settings cannot be read.
    """
    name, settings = _settings(project, remote)
    url, endpoint = urlsplit(settings.get("url", "")), urlsplit(settings.get("endpointurl", ""))
    key = str(settings.get("access_key_id", ""))
    if url.scheme != "s3" or endpoint.hostname != HOST or not (key.startswith(KEY_PREFIX) or not key):
        return None
    if not key:
        settings = _with_keys(project, name, endpoint.port or 9000)
    return Store(
        folder=project.absolute() / FOLDER,
        remote=name,
        bucket=url.netloc,
        port=urlsplit(settings["endpointurl"]).port or 9000,
        access_key=settings["access_key_id"],
        secret_key=settings["secret_access_key"],
    )


def _settings(project: Path, name: str) -> tuple[str, dict[str, str]]:
    config = dvc_config(project)
    name = name or config["core"].get("remote") or ""
    return name, dict(config["remote"].get(name, {}))


def _with_keys(project: Path, name: str, port: int) -> dict[str, str]:
    """The settings of the embedded remote, its keys made where nobody else has just made them."""
    with alone(project.absolute() / FOLDER / LOCK):  # two runs must not make two pairs of keys
        _, settings = _settings(project, name)
        if settings.get("access_key_id"):
            return settings
        made = {
            "access_key_id": f"{KEY_PREFIX}-{secrets.token_hex(4)}",
            "secret_access_key": secrets.token_urlsafe(32),
            **({} if not answers(port) else {"endpointurl": f"http://{HOST}:{free_port()}"}),
        }
        edit_local_config(project, {f"remote.{name}.{key}": value for key, value in made.items()})
        return {**settings, **made}


def ensure_running(project: Path, remote: str = "") -> Store | None:
    """Start the embedded server where the project has one for this remote; for the default one where none is named."""
    store = embedded(project, remote)
    if store is not None:
        store.start()
    return store


def dvc_config(project: Path) -> dict[str, Any]:
    """DVC's settings of a project, all levels merged, relative paths resolved.

    Raises:
        OperationError: they cannot be read.
    """
    try:
        return dict(Config(dvc_dir=str(project.absolute() / ".dvc")))
    except DvcConfigError as error:
        raise OperationError(".dvc/config", f"must be settings that DVC can read: {error}") from None


def edit_local_config(project: Path, settings: dict[str, str]) -> None:
    """Set keys such as ``remote.s3.access_key_id`` in ``.dvc/config.local``, which only its owner may read."""
    folder = project.absolute() / ".dvc"
    file = folder / "config.local"
    file.touch(mode=0o600)
    file.chmod(0o600)
    with Config(dvc_dir=str(folder), validate=False).edit("local") as local:
        for key, value in settings.items():
            *sections, last = key.split(".")
            section = local
            for name in sections:
                section = section.setdefault(name, {})
            section[last] = value


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
