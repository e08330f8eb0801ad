"""Clips of the embedded default: photos with moving objects, and videos that such objects cross.

Clips from photos are those of `stills.Stills`. Clips from videos are AOT's, merged up to
`config.merges` times; with probability `config.guests` they are crossed by objects cut out of the
photos of the same config. So a video in which one object is annotated shows several, with exactly
known occlusions.
"""

from vosjax.data import jitter, sets
from vosjax.data.config import ClipsConfig, DatasetConfig
from vosjax.data.photos import PhotoSource
from vosjax.data.samplers.aot import VideoClips, VideoSettings
from vosjax.data.stills import Stills, StillsSettings
from vosjax.data.synthetic import scene as scenes
from vosjax.datasets.protocol import Source


def of_videos(source: Source, dataset: DatasetConfig, config: ClipsConfig) -> VideoClips:
    """Returns a source of clips from videos; `config.plain` leaves random crops only.

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
    """Returns a source of clips from photos.

    clips = of_photos(source, DatasetConfig("COCO"), ClipsConfig())
    """
    return Stills(source, _settings(config))


def _settings(config: ClipsConfig) -> StillsSettings:
    return scenes.livelier(StillsSettings(crowd=config.crowd), config.motion)


def _guests(config: ClipsConfig) -> Stills | None:
    """Returns all photos of the config's sets as one source, or None if there are no photos."""
    datasets = [
        sets.open_dataset(dataset, config.root) for dataset in sets.as_datasets(config.sets)
    ]
    pairs = tuple(
        dataset.photos[index]
        for dataset in datasets
        if dataset.photos is not None
        for index in range(len(dataset.photos))
    )
    return Stills(pairs, _settings(config)) if pairs else None
