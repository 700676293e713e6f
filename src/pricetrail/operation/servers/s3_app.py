"""nanio's application, made to understand how AWS's clients send a body over TLS.

There they send it in pieces that are not signed, with a checksum at the end. nanio 0.1.7 stores the frames as if they
were the object.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from nanio.app import build_app as build_nanio  # type: ignore[import-untyped]
from nanio.errors import InvalidRequest  # type: ignore[import-untyped]

Message = dict[str, Any]  # of ASGI
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

FRAMED = (b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
LONGEST_LINE = 4096
END = b"\r\n"


def build_app() -> App:
    """The application that uvicorn serves; its settings are in the environment, as nanio reads them."""
    app = build_nanio()
    signatures = app.user_middleware[0]  # which are of the headers as they came: ours is inside of it
    app.user_middleware.append(type(signatures)(PlainBodies))
    served: App = app
    return served


class PlainBodies:
    """Middleware that takes the frames off a body."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and FRAMED in scope["headers"]:
            kept = [pair for pair in scope["headers"] if pair != (b"content-encoding", b"aws-chunked")]
            await self._app({**scope, "headers": kept}, _Unframed(receive), send)
        else:
            await self._app(scope, receive, send)


class _Unframed:
    """What an application receives: a piece of the body at a time, each with its size in a line before it."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left = receive, bytearray()

    async def __call__(self) -> Message:
        size = self._number(await self._line())
        if not size:  # the checksum follows, of bytes that TLS has kept whole
            while await self._line():
                pass
            return {"type": "http.request", "body": b"", "more_body": False}
        while len(self._left) < size + len(END):
            await self._more()
        piece, end = bytes(self._left[:size]), self._left[size : size + len(END)]
        if end != END:
            raise InvalidRequest("a piece of the body must be as long as it says")
        del self._left[: size + len(END)]
        return {"type": "http.request", "body": piece, "more_body": True}

    async def _line(self) -> bytes:
        while (at := self._left.find(END)) < 0:
            if len(self._left) > LONGEST_LINE:
                raise InvalidRequest("a piece of the body must begin with its size")
            await self._more()
        line = bytes(self._left[:at])
        del self._left[: at + len(END)]
        return line

    async def _more(self) -> None:
        message = await self._receive()
        if message["type"] != "http.request" or not (message.get("body") or message.get("more_body")):
            raise InvalidRequest("a body must not end before its last piece")
        self._left += message.get("body", b"")

    @staticmethod
    def _number(line: bytes) -> int:
        digits = line.partition(b";")[0]
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise InvalidRequest("a piece of the body must begin with its size")
        return int(digits, 16)
