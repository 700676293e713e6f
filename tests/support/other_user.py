"""Another user of this machine: what he runs, runs as him."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

NOBODY = 65534
AS_HIM = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root has other users")
FAKE = """\
import socket, ssl, subprocess, sys, threading
kind, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = None
if kind == "tls":
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "9"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder + "/k", "-out", folder + "/c"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/c", folder + "/k")
def serve(client):
    try:
        client = context.wrap_socket(client, server_side=True) if context else client
        while got := client.recv(65536):
            with open(folder + "/received", "ab") as file:
                file.write(got)
            if kind != "mute":
                state = b"404 Not Found" if got[:4] == b"HEAD" else b"200 OK"
                body = b"<ListBucketResult/>" if got[:4] == b"GET " else b""
                size = str(len(body)).encode()
                client.sendall(b"HTTP/1.1 " + state + b"\\r\\nContent-Length: " + size + b"\\r\\n\\r\\n" + body)
    except OSError:
        pass
with socket.create_server(("127.0.0.1", port)) as server:
    open(folder + "/ready", "w").close()
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


def as_other(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command as another user; never raises."""
    return subprocess.run([*AS_HIM, *command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


class Fake:
    """A server that takes whatever is sent to it, of another user or of this one."""

    def __init__(self, kind: str, port: int, more: Sequence[str] = (), user: int = NOBODY) -> None:
        self.folder = Path(mkdtemp(prefix="fake-"))
        os.chown(self.folder, user, user)
        (self.folder / "fake.py").write_text(FAKE)
        (self.folder / "fake.py").chmod(0o644)
        command = [sys.executable, "-ISu", str(self.folder / "fake.py"), kind, str(port), str(self.folder), *more]
        self.process = subprocess.Popen([*(AS_HIM if user == NOBODY else ()), *command])
        while not (self.folder / "ready").exists():
            assert self.process.poll() is None
            time.sleep(0.02)

    @property
    def received(self) -> bytes:
        """What it understood, after its own decryption where it has TLS."""
        file = self.folder / "received"
        return file.read_bytes() if file.exists() else b""

    @property
    def got_a_request(self) -> bool:
        return b"HTTP/1" in self.received

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


@contextmanager
def fake_server(kind: str, port: int, more: Sequence[str] = (), user: int = NOBODY) -> Iterator[Fake]:
    """A fake server that ends with the block."""
    fake = Fake(kind, port, more, user)
    try:
        yield fake
    finally:
        fake.process.kill()
        fake.process.wait()
        shutil.rmtree(fake.folder)
