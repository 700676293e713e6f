"""A webhook that is bad: slow, endless, elsewhere, secret. Told in seconds, and nothing of its address is."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pricetrail.base import redaction
from pricetrail.operation.weekly import outcome
from pricetrail.operation.weekly.outcome import notify
from support.commands import free_port

SECRET = "T00000000/B00000000/an0therS3cretPart"
LIMIT = 1.0


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """A real socket: its port, and what it was sent."""
    got, listening = list[bytes](), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client, suppress(OSError):
                    got.append(client.recv(65536))
                    answer(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1], got
    listening.close()


def drip(client: socket.socket) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 9999:
        client.sendall(bytes([letter]))
        time.sleep(0.1)


def endless(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        client.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def silent(client: socket.socket) -> None:
    client.recv(1)


def redirect_to(address: str) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.sendall(f"HTTP/1.1 307 x\r\nLocation: {address}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(outcome, "WEBHOOK_SECONDS", LIMIT)
    monkeypatch.setattr(redaction, "_known", set())
    before = logging.getLogRecordFactory()
    redaction.redact_logs({})
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.attack
@pytest.mark.parametrize("answer", [drip, endless, silent])
def test_a_slow_webhook_holds_a_run_up_for_its_limit_at_most(
    answer: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    with server(answer) as (port, got):
        started = time.monotonic()
        notify(f"http://127.0.0.1:{port}/x", "S3 is down")
        assert time.monotonic() - started < LIMIT + 0.5
        assert got
    is_taken = answer is endless  # its status says so, and its body nobody reads
    assert ("webhook: must take the message of the run: " in caplog.text) != is_taken


@pytest.mark.attack
@pytest.mark.parametrize("target", ["another", "file:///etc/passwd", "ftp://127.0.0.1/x", "/elsewhere"])
def test_a_redirect_is_not_followed(target: str, caplog: pytest.LogCaptureFixture) -> None:
    with server(redirect_to("")) as (elsewhere, stolen):
        address = f"http://127.0.0.1:{elsewhere}/" if target == "another" else target
        with server(redirect_to(address)) as (port, got):
            notify(f"http://127.0.0.1:{port}/x", "S3 is down")
            assert len(got) == 1
        assert not stolen
    assert "307, a redirect, which is not followed" in caplog.text


@pytest.mark.attack
@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://h/x", "unix:///run/x"])
def test_an_address_of_another_scheme_is_refused(
    address: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICETRAIL_WEBHOOK_URL", address)
    notify("", "S3 is down")
    assert "webhook: must take the message of the run: UnsupportedProtocol" in caplog.text


@pytest.mark.attack
@pytest.mark.parametrize(
    ("way", "address"),
    [
        ("refused", f"http://bot:pass-{SECRET.replace('/', '')}@127.0.0.1:9/services/{SECRET}"),
        ("no such page", f"http://bot:pass-{SECRET.replace('/', '')}@127.0.0.1:PORT/services/{SECRET}"),
        ("query", f"http://127.0.0.1:PORT/?id={SECRET}"),
        ("no address", f"http://host:port/services/{SECRET}"),
        ("proxy", f"http://hook.invalid/services/{SECRET}"),
    ],
)
def test_the_address_of_the_webhook_is_in_no_log(
    way: str, address: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "proxy":
        monkeypatch.setenv("HTTP_PROXY", f"http://user:pass-{SECRET.replace('/', '')}@127.0.0.1:{free_port()}")

    def refuse(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 404 " + SECRET.split("/")[2].encode() + b"\r\nContent-Length: 0\r\n\r\n")

    with server(refuse) as (port, _), caplog.at_level(logging.DEBUG):
        notify(address.replace("PORT", str(port)), "S3 is down")
    assert "webhook: must take the message of the run: " in caplog.text
    assert SECRET.split("/")[2] not in caplog.text


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Logger .* attempted to send logs to the API without a flow run id")
def test_the_address_is_in_no_log_of_prefect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its handler would send to the server."""
    from prefect.logging.handlers import APILogHandler

    from pricetrail.operation.schedule.flow import weekly_lineage

    sent = list[str]()
    monkeypatch.setattr(APILogHandler, "emit", lambda self, record: sent.append(self.format(record)))
    monkeypatch.setenv("PRICETRAIL_WEBHOOK_URL", f"http://bot:{SECRET.replace('/', '')}@127.0.0.1:9/services/{SECRET}")
    (tmp_path / "params.yaml").write_text("data: {}\n")
    state = weekly_lineage.fn(str(tmp_path))
    logging.getLogger("pricetrail.x").warning("%s", os.environ["PRICETRAIL_WEBHOOK_URL"])
    told = "\n".join([*sent, str(state.message)])
    assert "params.yaml" in told
    assert SECRET.split("/")[2] not in told
