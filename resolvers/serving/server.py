"""One serving process: uvicorn, configured in one place."""

import errno
from collections.abc import Callable
from socket import socket
from typing import Any

import uvicorn

from models.installation import InstallationError
from resolvers.serving.http import BoundedHttp
from resolvers.serving.listening import Listening, Reserved
from resolvers.serving.transport import HEADERS

SHUTDOWN_SECONDS = 10
"""How long answers under way may take once the server is told to stop."""


class _Server(uvicorn.Server):
    """Uvicorn that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def server_config(app: Any, listening: Listening) -> uvicorn.Config:  # noqa: ANN401 - any ASGI application
    """How an application is served; what is measured beside it is served alike."""
    return uvicorn.Config(
        app,
        port=listening.port,
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        # As all others log: models.logs.
        log_config=None,
        access_log=False,
        server_header=False,
        headers=list(HEADERS),
        proxy_headers=bool(listening.proxies),
        forwarded_allow_ips=list(listening.proxies),
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


def run(app: Any, reserved: Reserved, *, on_ready: Callable[[], None]) -> None:  # noqa: ANN401
    """Serve in this process until told to stop. Raises InstallationError where the port is taken by now."""
    try:
        _Server(server_config(app, reserved.listening), on_ready=on_ready).run(sockets=[reserved.socket])
    except KeyboardInterrupt:
        return  # uvicorn has shut down and passes the signal on
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        message = "Another server took the port while this one started: choose another with --port."
        raise InstallationError(message) from None
