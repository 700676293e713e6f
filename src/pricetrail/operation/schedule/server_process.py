"""Prefect's server as a process: ``python -m pricetrail.operation.schedule.server_process SOCKET``.

In place of ``prefect server start``, which cannot be given a socket: it takes the port when it starts, and leaves it to
whoever comes first when it dies.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import uvicorn
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from prefect.server.api.server import create_app

Message = MutableMapping[str, Any]  # ASGI's own words
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

# Prefect's pages talk to this server alone, whatever Markdown of a run or their own telemetry says, and in no frame
POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


def main(number: int) -> None:
    """Answer on a listening socket until told to stop, and only those who came for its address.

    Args:
        number: of the socket, inherited.
    """
    listening = socket.socket(fileno=number)
    host = listening.getsockname()[0]  # a page whose own name leads here (DNS rebinding) names that one
    app = TrustedHostMiddleware(with_policy(create_app(final=True)), allowed_hosts=[host])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


def with_policy(app: ASGIApp) -> ASGIApp:
    """An application whose pages have a content security policy."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"content-security-policy", POLICY.encode())]
            await send(message)

        await app(scope, receive, tell)

    return answer


if __name__ == "__main__":
    main(int(sys.argv[1]))
