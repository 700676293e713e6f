"""Commands of a clone without the seconds that each spends on importing torch, pandas, shap, evidently and DVC.

A server imports those packages once, and nothing of this project. `python -m pricetrail.…`, `pricetrail` and `dvc` are
small scripts, first in the `PATH` of a clone: they hand folder, environment, arguments and streams to the server, whose
fork imports the clone's own code and ends with its exit code. The pins of `dvc.yaml` are set before torch loads. Any
other program, and whoever sets a pin otherwise, gets the real interpreter. Law 1 holds what forks made against the
network of a real process, and in `make test-all` against all that real processes make.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# fmt: off
PACKAGES = (
    "torch", "pandas", "pyarrow.parquet", "pyarrow.compute", "safetensors.torch", "sklearn.linear_model", "sklearn.svm",
    "sklearn.pipeline", "sklearn.model_selection", "lightgbm", "optuna", "optuna.importance", "matplotlib.pyplot",
    "shap", "pandera.pandas", "evidently", "evidently.presets", "evidently.metrics", "fairlearn.metrics", "dvclive",
    "jinja2", "markdown_it", "vl_convert", "ruamel.yaml", "typer", "pydantic", "rich.table", "rich.progress", "httpx",
    "dvc.cli", "dvc.repo", "dvc.commands.repro", "dvc.commands.status", "dvc.stage.cache", "dvc.repo.reproduce",
)
# fmt: on
SCRIPT = """\
#!{python} -IS
import json, os, socket, sys
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
is_pinned = all(os.environ.get(pin, value) == value for pin, value in {pins!r}.items())
named = arguments[arguments[:1] == ["-P"]:]
package = named[1].split(".")[0] if named[:1] == ["-m"] and len(named) > 1 else ""
if not is_pinned or (name == "python" and package not in ("dvc", "pricetrail")):
    program = os.path.join({programs!r}, name)
    os.execv(program, [program, *arguments])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = json.dumps([name, arguments, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(request)
    code = int(server.makefile().readline() or 1)
sys.exit(code if code >= 0 else 128 - code)
"""


def start(pins: dict[str, str], seen: Mapping[str, str]) -> Path:
    """Start a server that ends with this process, with more variables; the folder of its three scripts."""
    folder = Path(tempfile.mkdtemp(prefix="preloaded-"))
    programs = Path(sys.executable).parent
    address = str(folder / "socket")
    text = SCRIPT.format(python=sys.executable, pins=pins, programs=str(programs), address=address)
    for name in ("python", "pricetrail", "dvc"):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, __file__, address], env={**kept, **seen, **pins}, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.communicate)  # it ends, and its processor time counts as this process's
    while not Path(address).exists():
        assert server.poll() is None, f"python {__file__} {address} ended"
        time.sleep(0.05)
    return folder


def pins_of(command: str) -> dict[str, str]:
    """``{"A": "1"}`` of ``env A=1 python``."""
    return dict(word.split("=", 1) for word in shlex.split(command) if "=" in word)


def serve(address: str) -> None:
    """Fork for each request; end when nobody holds the other end of the standard input."""
    import gc
    import importlib

    for package in PACKAGES:
        importlib.import_module(package)
    assert not [name for name in sys.modules if name.split(".")[0] == "pricetrail"]
    gc.freeze()
    asked = selectors.DefaultSelector()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address + ".new")
        listening.listen(64)
        Path(address + ".new").rename(address)
        asked.register(sys.stdin, selectors.EVENT_READ)
        asked.register(listening, selectors.EVENT_READ)
        while True:
            for key, _ in asked.select():
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listening:
                    connection, _ = listening.accept()
                    pid = fork(connection)
                    asked.register(connection, selectors.EVENT_READ, pid)
                    asked.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
                elif isinstance(key.data, int):  # who asked was killed
                    os.kill(key.data, signal.SIGKILL)
                    asked.unregister(key.fileobj)
                else:
                    end(asked, key)


def end(asked: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Tell who asked with which code a child ended."""
    pid, connection = key.data
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    asked.unregister(key.fileobj)
    os.close(key.fd)
    with suppress(KeyError):
        asked.unregister(connection)
    with suppress(OSError), connection:
        connection.sendall(f"{code}\n".encode())


def fork(connection: socket.socket) -> int:
    """The number of a child which becomes the program that a connection asks for."""
    length, streams, _, _ = socket.recv_fds(connection, 4, 3)
    request = connection.makefile("rb").read(int.from_bytes(length, "big"))
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        finish(*json.loads(request))
    for stream in streams:
        os.close(stream)
    return pid


def finish(name: str, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a program and leave as an interpreter does, without a second of taking its modules down."""
    code: object = 1
    try:
        become(name, arguments, folder, environment)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def become(name: str, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a program as a new interpreter would; never returns."""
    import importlib
    import runpy

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.dont_write_bytecode = True
    sys.executable = shutil.which("python") or sys.executable
    given = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    safe = arguments[:1] == ["-P"]
    sys.path[:1] = [*([] if safe else [folder if name == "python" else str(Path(sys.executable).parent)]), *given]
    importlib.invalidate_caches()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if name == "python":
        sys.argv = ["-m", *arguments[safe + 2 :]]
        runpy.run_module(arguments[safe + 1], run_name="__main__", alter_sys=True)
        sys.exit()
    sys.argv = [name, *arguments]
    program = {"dvc": "dvc.cli:main", "pricetrail": "pricetrail.cli.app:app"}[name]
    module, _, function = program.partition(":")
    sys.exit(getattr(importlib.import_module(module), function)())


if __name__ == "__main__":
    serve(*sys.argv[1:])
