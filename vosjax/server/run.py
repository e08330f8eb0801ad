"""Runs an app behind its guard until a signal comes, and then ends it in good order."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from vosjax.errors import InputError
from vosjax.server.guard import App, Limits, guard

GRACE = 30  # seconds for requests under way when the server ends


class _Server(uvicorn.Server):
    """Ends at the first signal when all requests are answered, and at the second one at once."""

    def __init__(self, config: uvicorn.Config, began: Callable[[], None]) -> None:
        super().__init__(config)
        self._began = began

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles signals without raising them again at the end, as the work is then done."""
        if threading.current_thread() is not threading.main_thread():  # which cannot handle them
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._began()


def listening(host: str, port: int) -> socket.socket:
    """Returns a socket that is bound to an address.

        port = listening("127.0.0.1", 0).getsockname()[1]       # one that is free

    Args:
        host: an address of this machine, or 'localhost'.
        port: the port; 0 takes any that is free.

    Raises:
        InputError: the address is not one of this machine, or the port is taken.
    """
    try:
        families = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = families[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"the server cannot listen on {host}, port {port} ({reason}): give an address of this "
            "machine by --host, and a free port by --port (0 takes any)"
        ) from error
    return bound


def server_of(
    app: Any,
    bound: socket.socket,
    *,
    host: str,
    token: str | None,
    limits: Limits,
    connections: int,
    message_bytes: int = 2**24,
    began: Callable[[], None] = lambda: None,
) -> uvicorn.Server:
    """Makes a server that is not running yet.

        server = server_of(app, bound, host="127.0.0.1", token=None, limits=Limits(), ...)
        asyncio.run(server.serve([bound]))      # until server.should_exit is True

    Args:
        app: the app, without a guard.
        bound: the socket, see `listening`.
        host: the address that was asked for.
        token: what clients have to know, or None.
        limits: of bodies.
        connections: most connections at a time; more are answered by 503.
        message_bytes: largest message of a WebSocket.
        began: is called when the server listens.

    Raises:
        InputError: others reach the server, and there is no token.
    """
    guarded: App = guard(app, host=host, port=bound.getsockname()[1], token=token, limits=limits)
    config = uvicorn.Config(
        guarded,
        access_log=False,  # its lines would hold the tokens of addresses
        log_level="warning",
        log_config=None,  # uvicorn's would close the handlers of others
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=message_bytes,
        ws_per_message_deflate=False,  # pictures are compressed, and a bomb would be inflated
        limit_concurrency=connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
    )
    return _Server(config, began)


def serve(server: uvicorn.Server, bound: socket.socket) -> None:
    """Runs a server until SIGINT or SIGTERM.

        serve(server, bound)

    Args:
        server: what `server_of` returned.
        bound: its socket.

    Raises:
        InputError: the app did not start.
    """
    asyncio.run(server.serve([bound]))
    if not server.started:
        raise InputError("the server could not start; the lines above say why")
