"""Clips of the embedded default: photos whose objects come alive, videos that such objects cross.

Photos are `stills.Stills`. Videos are AOT's clips, merged up to `config.merges` times; with
probability `config.guests` objects cut out of the photos of the same config cross them, which
gives films of one marked thing many of them, with occlusions that are known exactly.
"""

import itertools

from vosjax.data import jitter, sets
from vosjax.data.stills import Stills, StillsSettings
from vosjax.data.synthetic import scene as scenes
from vosjax.data.video_clips import VideoClips, VideoSettings


def of_videos(source, each, config):
    """Clips of a source of videos; `config.plain` leaves random crops only."""
    settings = VideoSettings(
        gap=each.max_frame_gap,
        merge=config.merge,
        merges=config.merges,
        guests=config.guests,
        colour=jitter.V2 if config.colour else jitter.NONE,
    )
    return VideoClips(
        source,
        settings.plain() if config.plain else settings,
        _guests(config) if config.guests and not config.plain else None,
    )


def of_photos(source, each, config):
    """Clips of photos."""
    return Stills(source, _settings(config))


def _settings(config):
    return scenes.livelier(StillsSettings(crowd=config.crowd), config.motion)


def _guests(config):
    """All photos of the config's sets as one source, or None where it has no photos."""
    found = [
        source
        for source, of_photos in (sets.opened(each, config.root) for each in sets.of_config(config))
        if of_photos
    ]
    return Stills(tuple(itertools.chain(*found)), _settings(config)) if found else None
