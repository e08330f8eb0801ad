"""STCN's clips: three frames whose skip grows and falls, and splines on stills."""

from vosjax.data.stcn_clips import StcnVideoClips, StcnVideoSettings, StcnStillClips


def of_videos(source, each, config):
    """Clips of a source of videos; the skip counts frames of the full rate."""
    return StcnVideoClips(source, StcnVideoSettings(skip=max(1, config.skip // each.thin)))


def of_photos(source, each, config):
    """Clips of photos."""
    return StcnStillClips(source)
