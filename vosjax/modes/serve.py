"""`--mode serve`: a server that segments videos for other programs, over HTTP and WebSocket.

It listens on this machine alone, unless --host says otherwise; then clients need a token, which is
given by --token or $VOSJAX_TOKEN, or made and printed. SIGTERM and Ctrl-C end it when all requests
under way are answered; with --keep FOLDER, sessions go on when it is started again.
"""

import contextlib
import importlib.util
import os
import pathlib
import re

import jax

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.lock import NAME, locked
from vosjax.io.names import printable
from vosjax.io.terminal import say
from vosjax.loading.ensembles import composed_network
from vosjax.loading.pretrained import compile_cache
from vosjax.modes import Options
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
PACKAGES = ("fastapi", "uvicorn", "websockets")
HOST, PORT = "127.0.0.1", 8764
BATCH = 16  # sessions in one call of an accelerator


def run(config: Config, options: Options) -> int:
    """Serves until a signal comes.

    Raises:
        InputError: a package is missing; the address, the port or the token cannot be used; or the
            config has no network.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"a server needs packages that are missing ({', '.join(missing)}): "
            'pip install "vosjax[web]"'
        )
    from vosjax.server.app import create_app
    from vosjax.server.routes import limits_of
    from vosjax.server.run import listening, serve, server_of
    from vosjax.server.sessions import Sessions

    host, port = options.host or HOST, _port(options.port)
    own = options.token or os.environ.get("VOSJAX_TOKEN") or None
    token = token_for(host, own)
    keep = None if options.keep is None else pathlib.Path(options.keep)
    compile_cache()
    network = composed_network(config)
    # Two servers would overwrite each other's sessions.
    held = contextlib.nullcontext() if keep is None else locked(keep / NAME, what=keep)
    with listening(host, port) as bound, held:
        sessions = Sessions(
            network,
            config.serve,
            max_short_side=config.max_short_side,
            batch=config.serve.batch or default_batch(),
        )
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
            message_bytes=2 * config.serve.max_frame_bytes + 2**16,
            began=began,
        )
        serve(server, bound)
    return 0


def default_batch() -> int:
    """Returns how many sessions share a call of the device, if the config leaves it open.

    On CPUs one: there, a frame alone uses all cores, and batches were measured to gain nothing
    (docs/serve.md).
    """
    return 1 if jax.local_devices()[0].platform == "cpu" else BATCH


def _port(text: str | None) -> int:
    if text is None:
        return PORT
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise InputError(f"--port is {printable(text)}; a number from 0 (any) to 65535 is expected")
    return int(text)
