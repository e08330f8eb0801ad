"""Settings of `--mode serve`: how much clients may ask of the server."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class ServeConfig(Checked):
    """Limits of a server, and how frames of several sessions are batched (`--mode serve`)."""

    max_sessions: int = setting(16, "sessions at a time", least=1)
    max_objects: int = setting(32, "objects of a session at a time", least=1, most=255)
    max_pixels: int = setting(4096 * 2160, "pixels of a frame", least=1)
    max_mem_frames: int = setting(64, "memory frames that a session may ask for", least=1)
    max_frame_bytes: int = setting(2**24, "bytes of a frame's picture", least=1)
    max_video_bytes: int = setting(2**30, "bytes of an uploaded video", least=1)
    max_snapshot_bytes: int = setting(2**29, "bytes of an uploaded snapshot", least=1)
    idle: float = setting(
        600.0, "seconds without a frame after which a session is removed", above=0
    )
    batch: int | None = setting(
        None, "most sessions in one call of the device; None: 16, or 1 on CPUs", least=1, most=64
    )
    gather: float = setting(
        4.0, "milliseconds for which a frame waits for those of other sessions", least=0, most=1000
    )
