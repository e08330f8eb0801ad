"""What the modes `serve` and `studio` share: the packages, the port, the sessions of programs."""

import importlib.util
import os
import re
from typing import TYPE_CHECKING

import jax

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options

if TYPE_CHECKING:  # which needs packages of the extra `web`
    from vosjax.server.sessions import Sessions

PACKAGES = ("fastapi", "uvicorn", "websockets")
HOST = "127.0.0.1"
BATCH = 16  # sessions in one call of an accelerator


def check_packages() -> None:
    """Raises `InputError` if a package is missing that a server needs."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"a server needs packages that are missing ({', '.join(missing)}): "
            'pip install "vosjax[web]"'
        )


def port_of(options: Options, default: int) -> int:
    """Returns the port that the flags name.

        port = port_of(options, 8765)

    Raises:
        InputError: it is no port.
    """
    text = options.port
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise InputError(f"--port is {printable(text)}; a number from 0 (any) to 65535 is expected")
    return int(text)


def own_token(options: Options) -> str | None:
    """Returns the token that the user gave, by --token or $VOSJAX_TOKEN, or None."""
    return options.token or os.environ.get("VOSJAX_TOKEN") or None


def sessions_of(config: Config, network: Loaded) -> "Sessions":
    """Returns the sessions of programs, `server.sessions.Sessions`.

        sessions = sessions_of(config, load())

    Args:
        config: its part `serve` has the limits.
        network: the network of all sessions.
    """
    from vosjax.server.sessions import Sessions

    return Sessions(
        network,
        config.serve,
        max_short_side=config.max_short_side,
        batch=config.serve.batch or default_batch(),
    )


def message_bytes(config: Config) -> int:
    """Returns the largest message of a WebSocket in bytes: a picture, or a mask in base64."""
    return 2 * config.serve.max_frame_bytes + 2**16


def default_batch() -> int:
    """Returns how many sessions share a call of the device, if the config leaves it open.

    On CPUs one: there, a frame alone uses all cores, and batches were measured to gain nothing
    (docs/serve.md).
    """
    return 1 if jax.local_devices()[0].platform == "cpu" else BATCH
