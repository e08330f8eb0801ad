"""`--mode serve`: a server that segments videos for other programs, over HTTP and WebSocket.

It listens on this machine alone, unless --host says otherwise; then clients need a token, which is
given by --token or $VOSJAX_TOKEN, or made and printed. SIGTERM and Ctrl-C end it when all requests
under way are answered; with --keep FOLDER, sessions go on when it is started again.
"""

import contextlib
import pathlib

from vosjax.compile_cache import compile_cache
from vosjax.config import Config
from vosjax.io.lock import NAME, locked
from vosjax.io.terminal import say
from vosjax.loading.ensembles import composed_network
from vosjax.modes import Options
from vosjax.modes._serving import (
    HOST,
    check_packages,
    message_bytes,
    own_token,
    port_of,
    sessions_of,
)
from vosjax.server.guard import is_loopback, token_for

FLAGS = ("host", "port", "token", "keep")
FIELDS = (
    "weights",
    "mem_every",
    "max_mem_frames",
    "max_short_side",
    "top_k",
    "dtype",
    "tta",
    "serve",
)
ALSO = ("family", "model", "members", "only", "feedback", "fuse", "keypoints")
PORT = 8764


def run(config: Config, options: Options) -> int:
    """Serves until a signal comes.

    Raises:
        InputError: a package is missing; the address, the port or the token cannot be used; or the
            config has no network.
    """
    check_packages()
    from vosjax.server.app import create_app
    from vosjax.server.routes import limits_of
    from vosjax.server.run import listening, serve, server_of

    host, port, own = options.host or HOST, port_of(options, PORT), own_token(options)
    token = token_for(host, own)
    keep = None if options.keep is None else pathlib.Path(options.keep)
    compile_cache()
    network = composed_network(config)
    # Two servers would overwrite each other's sessions.
    held = contextlib.nullcontext() if keep is None else locked(keep / NAME, what=keep)
    with listening(host, port) as bound, held:
        sessions = sessions_of(config, network)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{bound.getsockname()[1]}/v1"

        def began() -> None:
            say(f"serving at {address} (the API: {address}/docs); Ctrl-C ends it")
            if token is not None and own is None:
                say(f"clients send the header 'Authorization: Bearer {token}'")
            if not is_loopback(host):
                say("others may read what is sent: put TLS before it (docs/serve.md)")

        server = server_of(
            create_app(sessions, keep=keep),
            bound,
            host=host,
            token=token,
            limits=limits_of(sessions),
            connections=4 * config.serve.max_sessions + 64,
            message_bytes=message_bytes(config),
            began=began,
        )
        serve(server, bound)
    return 0
