"""Prefect's server as a process: ``python -m pricetrail.operation.schedule.server_process SOCKET``.

In place of ``prefect server start``, which cannot be given a socket: it takes the port when it starts, and leaves it to
whoever comes first when it dies.
"""

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvicorn
from fastapi import Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from prefect.server.api.server import create_app

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
    app = create_app(final=True)
    app.middleware("http")(with_policy)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[host])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


async def with_policy(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """The application's answer, with a content security policy."""
    answered = await answer(request)
    answered.headers["content-security-policy"] = POLICY
    return answered


if __name__ == "__main__":
    main(int(sys.argv[1]))
