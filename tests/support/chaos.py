"""A proxy in front of an S3 server that can be told to answer as a bad one: errors, truncated bodies, a slow line."""

from __future__ import annotations

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST, SLOW_BYTES = "127.0.0.1", 1000
ERROR = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>%s</Message></Error>"
CODES = {403: b"AccessDenied", 500: b"InternalError", 503: b"SlowDown"}


class Chaos:
    """An HTTP proxy.

    Attributes:
        status: answered to every request in place of the server's; 0 for none.
        told: S3's name for it, and what it says, where these are not the usual ones.
        is_down: connections are closed without an answer.
        is_slow: bodies pass at 1 KB/s.
        cut_get, cut_put: every body is cut in the middle; that of a PUT with a length that says it is whole.
        hits: requests that were treated badly.
    """

    def __init__(self, port: int, upstream: int) -> None:
        self.status, self.is_down, self.is_slow, self.cut_get, self.cut_put = 0, False, False, False, False
        self.hits, self.told = 0, (b"", b"")
        chaos = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def pass_on(self) -> None:
                chaos.handle(self, upstream)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

        self.server = ThreadingHTTPServer((HOST, port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request: BaseHTTPRequestHandler, upstream: int) -> None:
        """One request; without an answer where the server gives none."""
        try:
            self._handle(request, upstream)
        except (OSError, http.client.HTTPException):
            request.close_connection = True

    def _handle(self, request: BaseHTTPRequestHandler, upstream: int) -> None:
        if self.is_down:
            self.hits += 1
            raise ConnectionError("down")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if self.status:
            self.hits += 1
            self._answer(
                request, self.status, {}, ERROR % (self.told if any(self.told) else (CODES[self.status], b"chaos"))
            )
            return
        if self.is_slow and body:
            self.hits += 1
            time.sleep(len(body) / SLOW_BYTES)
        headers = dict(request.headers)
        if self.cut_put and request.command == "PUT" and len(body) > 1:
            self.hits += 1
            body = body[: len(body) // 2]
            headers["Content-Length"] = str(len(body))
        server = http.client.HTTPConnection(HOST, upstream, timeout=60)
        server.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            server.putheader(name, value)
        server.endheaders(body)
        found = server.getresponse()
        self._answer(request, found.status, dict(found.getheaders()), found.read())
        server.close()

    def _answer(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        length = headers.get("Content-Length", headers.get("content-length", ""))
        kept = {
            k: v for k, v in headers.items() if k.lower() not in {"content-length", "transfer-encoding", "connection"}
        }
        request.send_response_only(status)
        for name, value in kept.items():
            request.send_header(name, value)
        request.send_header("Content-Length", length if request.command == "HEAD" and length else str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return
        if (
            self.cut_get
            and request.command == "GET"
            and "/files/md5/" in request.path
            and status < 300
            and len(body) > 1
        ):
            self.hits += 1
            request.wfile.write(body[: len(body) // 2])
            request.close_connection = True
            return
        for start in range(0, len(body), SLOW_BYTES // 4 if self.is_slow else max(len(body), 1)):
            piece = body[start : start + SLOW_BYTES // 4] if self.is_slow else body
            request.wfile.write(piece)
            request.wfile.flush()
            time.sleep(len(piece) / SLOW_BYTES if self.is_slow else 0)
