"""AOT's clips: gaps, balanced crops and merges of videos; independent warps of stills."""

import dataclasses

from vosjax.data import jitter
from vosjax.data.static_clips import StaticClips, StaticSettings
from vosjax.data.video_clips import VideoClips, VideoSettings


def of_videos(source, each, config):
    """Clips of a source of videos; `config.plain` leaves random crops only."""
    settings = VideoSettings(
        gap=each.max_frame_gap,
        merge=config.merge,
        colour=jitter.V2 if config.colour else jitter.NONE,
    )
    return VideoClips(source, settings.plain() if config.plain else settings)


def of_photos(source, each, config):
    """Clips of photos."""
    settings = StaticSettings()
    if config.colour:
        settings = dataclasses.replace(settings, colour=jitter.V2)
    return StaticClips(source, settings)
