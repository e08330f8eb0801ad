"""Reads streams from the network by their address: cameras (RTSP), broadcasts, web servers."""

import contextlib
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from vosjax.errors import InputError
from vosjax.io.video.prefetch import interruptibly
from vosjax.io.video.types import Video

# Protocols that an address may lead to. A playlist can name others of them, but no local file.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,rtcp,srtp,udp,tcp,tls,http,https,httpproxy",
    "rtsps": "rtsp,rtsps,rtp,rtcp,srtp,udp,tcp,tls,http,https,httpproxy",
    "http": "http,https,httpproxy,tcp,tls,crypto",
    "https": "http,https,httpproxy,tcp,tls,crypto",
    "rtmp": "rtmp,rtmpt,tcp,http",
    "rtmps": "rtmps,rtmp,rtmpts,tcp,tls,https,http",
    "udp": "udp,rtp",
    "rtp": "rtp,udp,rtcp",
    "srt": "srt",
    "tcp": "tcp",
}
OPENING, SILENCE = 15.0, 30.0  # seconds without any data after which a stream is given up
_ADDRESS = re.compile(rf"({'|'.join(PROTOCOLS)})://.+", re.IGNORECASE)


def is_address(source: Any) -> bool:
    """Returns whether a video is given by an address.

    is_address("rtsp://camera/stream")      # True
    """
    return isinstance(source, str) and _ADDRESS.fullmatch(source) is not None


def without_password(address: str) -> str:
    """Returns an address in a form that may stand in messages and records.

    without_password("rtsp://me:secret@camera/stream")
    """
    parts = urllib.parse.urlsplit(address)
    if "@" not in parts.netloc:
        return address
    user, _, host = parts.netloc.rpartition("@")
    user = f"{user.partition(':')[0]}:***" if ":" in user else user
    return parts._replace(netloc=f"{user}@{host}").geturl()


def open_stream(address: str) -> Video:
    """Opens a stream, which is read once, as it arrives.

        video = open_stream("rtsp://camera/stream")

    Raises:
        InputError: PyAV is missing, the address does not answer, or it does not send a video; while
            reading, nothing arrives any more.
    """
    name = f"stream {without_password(address)}"
    try:
        import av

        from vosjax.io.video.container import TEXTS
        from vosjax.io.video.file_av import open_live
    except ImportError as error:
        raise InputError(
            f"{name}: streams are read through PyAV, which is not installed: pip install av"
        ) from error

    scheme = address.partition("://")[0].lower()
    options = {"protocol_whitelist": PROTOCOLS[scheme]}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # loses nothing, and firewalls let it through

    @contextlib.contextmanager
    def container() -> Iterator[Any]:
        waited = OPENING
        try:
            timeout = OPENING, SILENCE
            with av.open(address, "r", options=options, timeout=timeout, **TEXTS) as opened:
                waited = SILENCE
                yield opened
        except av.ExitError as error:
            raise InputError(
                f"{name} gave nothing for {waited:g} seconds: check that it is on the air"
            ) from error
        except av.FFmpegError as error:
            raise InputError(
                f"{name} cannot be read ({error.strerror}): check the address, and that it is on "
                "the air"
            ) from error

    return interruptibly(lambda: open_live(container, name))
