"""Clips of the embedded default: photos whose objects come alive, videos that such objects cross.

Photos are `stills.Stills`. Videos are AOT's clips, merged up to `config.merges` times; with
probability `config.guests` objects cut out of the photos of the same config cross them, which gives
films of one marked object many of them, with occlusions that are known exactly.
"""

from vosjax.data import jitter, sets
from vosjax.data.config import ClipsConfig, DatasetConfig
from vosjax.data.photos import PhotoSource
from vosjax.data.samplers.aot import VideoClips, VideoSettings
from vosjax.data.stills import Stills, StillsSettings
from vosjax.data.synthetic import scene as scenes
from vosjax.datasets.protocol import Source


def of_videos(source: Source, dataset: DatasetConfig, config: ClipsConfig) -> VideoClips:
    """Clips of a source of videos; `config.plain` leaves random crops only.

    clips = of_videos(source, DatasetConfig("YTB"), ClipsConfig())
    """
    settings = VideoSettings(
        max_frame_gap=dataset.max_frame_gap,
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


def of_photos(source: PhotoSource, dataset: DatasetConfig, config: ClipsConfig) -> Stills:
    """Clips of photos.

    clips = of_photos(source, DatasetConfig("COCO"), ClipsConfig())
    """
    return Stills(source, _settings(config))


def _settings(config: ClipsConfig) -> StillsSettings:
    return scenes.livelier(StillsSettings(crowd=config.crowd), config.motion)


def _guests(config: ClipsConfig) -> Stills | None:
    """All photos of the config's sets as one source, or None where it has no photos."""
    datasets = [sets.open_dataset(dataset, config.root) for dataset in sets.of_config(config)]
    pairs = tuple(
        dataset.photos[index]
        for dataset in datasets
        if dataset.photos is not None
        for index in range(len(dataset.photos))
    )
    return Stills(pairs, _settings(config)) if pairs else None
