"""The embedded S3 server: nanio on this machine alone, its objects in ``.s3/``, its keys in ``.dvc/config.local``.

It speaks TLS with a certificate of its own, which DVC is told to ask for: nobody else on its port gets an object.

It serves a project whose remote points at 127.0.0.1 and names no other credentials. With a remote of your own (AWS,
MinIO, a folder) nothing here starts anything.
"""

import os
import pwd
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dvc.config import Config
from psutil import Process

from pricetrail.base.errors import OperationError
from pricetrail.base.files import private_folder
from pricetrail.base.locks import alone
from pricetrail.base.processes import end, is_running, matching, start_server
from pricetrail.base.redaction import hide
from pricetrail.lineage.dvc_cache import dvc_config
from pricetrail.lineage.place import main_project
from pricetrail.operation.servers.programs import UnreachableError
from pricetrail.operation.servers.tls import HANDSHAKE_SECONDS, KEY, ensure_certificate, owner_of_port, proves

APP: Final = "pricetrail.operation.servers.s3_app:build_app"
HOST: Final = "127.0.0.1"
PORT: Final = 9000  # where none is named
FOLDER: Final = ".s3"
LOCK: Final = "lock"  # in it: two runs must not start two servers
KEY_PREFIX: Final = "pricetrail"  # tells our keys from those of a server that somebody else runs here
START_SECONDS: Final = 20.0
OWN: Final = ("access_key_id", "secret_access_key", "endpointurl", "ssl_verify")  # settings that are this server's


@dataclass(frozen=True)
class Store:
    """An embedded server.

    Attributes:
        folder: its ``.s3``, which only its owner may enter.
        remote: name of the DVC remote that it serves.
        certificate: by which it proves who it is.
    """

    folder: Path
    remote: str
    bucket: str
    port: int
    access_key: str
    secret_key: str
    certificate: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://{HOST}:{self.port}"

    @property
    def objects(self) -> Path:
        """The folder of its buckets."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "server.log"

    def is_running(self) -> bool:
        """Whether it answers, and has proved that it is this one: a handshake of milliseconds.

        Raises:
            UnreachableError: what has its port does not answer.
        """
        try:
            return proves((HOST, self.port), self.certificate)
        except TimeoutError:
            raise UnreachableError(f"{HOST}:{self.port}", f"must answer within {HANDSHAKE_SECONDS:g} s") from None

    def _processes(self) -> tuple[Process, ...]:
        """This user's that serve its folder, by their command line, to be ended: nothing is sent for its sake.

        No file names them, which could be lost with who wrote it, or name a later process of that number.
        """
        ours = {str(self.folder / KEY), str(self.objects)}  # the second: of a version before TLS

        def serves(process: Process) -> bool:
            return process.uids().effective == os.geteuid() and not ours.isdisjoint(process.cmdline())

        return matching(serves)

    def start(self) -> None:
        """Start it where it is not running; it stays after this program's end.

        Raises:
            OperationError: it does not come up, or another server has its port.
        """
        with alone(self.folder / LOCK):
            if not self.is_running():
                self._end()  # one with other keys, or of an older version
                self._start()

    def _start(self) -> None:
        if answers(self.port):
            raise OperationError(f"{HOST}:{self.port}", self._taken())
        (self.objects / self.bucket).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "uvicorn", APP, "--factory", "--app-dir", str(Path(__file__).parents[3])]
        command += ["--host", HOST, "--port", str(self.port), "--ssl-keyfile", str(self.folder / KEY)]
        command += ["--ssl-certfile", str(self.certificate), "--no-access-log", "--log-level", "warning"]
        keys = {"NANIO_ACCESS_KEY": self.access_key, "NANIO_SECRET_KEY": self.secret_key}
        process = start_server(command, self.log, {**keys, "NANIO_DATA_DIR": str(self.objects)})
        deadline = time.monotonic() + START_SECONDS
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                rule = self._taken() if answers(self.port) else f"must start: see {self.log}"
                raise OperationError(f"embedded S3 on {HOST}:{self.port}", rule)
            time.sleep(0.05)

    def _taken(self) -> str:
        """What to do where somebody else has its port."""
        user = owner_of_port(self.port)
        who = "" if user is None else f", of user {_user_name(user)}"
        other = f"dvc remote modify --local {self.remote} endpointurl https://{HOST}:{free_port()}"
        rule = f"must be free for the embedded S3: another server{who} answers there, and was sent nothing"
        return f"{rule}; end it, or take another port: {other}"

    def stop(self) -> bool:
        """End it; False where it was not running.

        Raises:
            OperationError: it does not end.
        """
        with alone(self.folder / LOCK):
            return self._end()

    def _end(self) -> bool:
        present = self._processes()  # two, where .dvc/config.local was lost while one ran
        for process in present:
            end(process)
        if left := [process.pid for process in present if is_running(process)]:
            raise OperationError(
                f"embedded S3, process {left[0]}", "must end when it is killed: what does it wait for?"
            )
        return bool(present)


def embedded(project: Path, remote: str = "") -> Store | None:
    """The project's embedded server, its keys and port made on first use; None where the remote is another's.

    A working tree beside the main one, such as ``git worktree add`` makes, shares that one's: releases are of both, and
    a tree that is removed would take its objects along.

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
    home = _home(project, name, settings.get("url"))
    folder = private_folder(home.absolute() / FOLDER)
    with alone(folder / LOCK):  # two runs must not make two pairs of keys, nor one undo what the other sets
        certificate = ensure_certificate(folder, HOST)
        settings = _configured(home, name, certificate)
        if home != project:
            _set(project, name, {key: settings[key] for key in OWN})
    return Store(
        folder=folder,
        remote=name,
        bucket=url.netloc,
        port=urlsplit(settings["endpointurl"]).port or PORT,
        access_key=settings["access_key_id"],
        secret_key=settings["secret_access_key"],
        certificate=certificate,
    )


def _home(project: Path, name: str, url: str | None) -> Path:
    """The project whose folder has the server's objects."""
    main = main_project(project)
    is_shared = not (project / FOLDER).exists() and _settings(main, name)[1].get("url") == url
    return main if is_shared else project


def _settings(project: Path, name: str) -> tuple[str, dict[str, str]]:
    config = dvc_config(project)
    name = name or config["core"].get("remote") or ""
    return name, dict(config["remote"].get(name, {}))


def _configured(project: Path, name: str, certificate: Path) -> dict[str, str]:
    """The settings of the embedded remote: keys, made where there are none, and that DVC asks for the certificate."""
    _, settings = _settings(project, name)
    port, wanted = urlsplit(settings["endpointurl"]).port or PORT, {"ssl_verify": str(certificate)}
    if not settings.get("access_key_id"):
        wanted["access_key_id"] = f"{KEY_PREFIX}-{secrets.token_hex(4)}"
        wanted["secret_access_key"] = secrets.token_urlsafe(32)
        hide(wanted["secret_access_key"])
        port = free_port() if answers(port) else port
    wanted["endpointurl"] = f"https://{HOST}:{port}"
    _set(project, name, wanted)
    return {**settings, **wanted}


def _set(project: Path, name: str, wanted: Mapping[str, str]) -> None:
    settings = _settings(project, name)[1]
    if any(settings.get(key) != value for key, value in wanted.items()):
        edit_local_config(project, {f"remote.{name}.{key}": value for key, value in wanted.items()})


def ensure_running(project: Path, remote: str = "") -> Store | None:
    """Start the embedded server where the project has one; DVC's state, by hand too, is kept where only we write.

    Args:
        project: its folder.
        remote: that it serves; the default one where none is named.

    Raises:
        OperationError: the project is another user's, whom our folders would lock out, or the server does not start.
    """
    home = project.absolute() / ".dvc"
    if home.exists() and (owner := home.stat().st_uid) != os.geteuid():
        raise OperationError(str(home), f"must be owned by who runs this: run as user {_user_name(owner)}")
    store = embedded(project, remote)
    with nullcontext() if store is None else alone(store.folder / LOCK):
        _keep_state(project)
    if store is not None:
        store.start()
    return store


def _keep_state(project: Path) -> None:
    """Name DVC's state at the local level, which wins: anew where the project was moved or copied."""
    place = private_folder(project.absolute() / ".dvc/tmp/site")
    local = Config(dvc_dir=str(project.absolute() / ".dvc"), validate=False).read("local")
    if local["core"].get("site_cache_dir") != str(place):
        edit_local_config(project, {"core.site_cache_dir": str(place)})


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


def _user_name(number: int) -> str:
    try:
        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except KeyError:
        return str(number)


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
