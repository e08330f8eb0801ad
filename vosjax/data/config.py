"""What can be set of training clips: data sets, photos, rendered clips, and how they are mixed."""

import dataclasses
from typing import Annotated, Any

from vosjax.data.stills import StillsSettings
from vosjax.data.synthetic.rendered import RenderedSettings
from vosjax.schema import ChangesOf, Checked, FieldError, setting

# Fields of a `ClipsConfig` and the step from which on they hold.
Phase = Annotated[dict[str, Any], ChangesOf(lambda: ClipsConfig, (("start", int),))]


@dataclasses.dataclass(frozen=True)
class DatasetConfig(Checked):
    """One data set: prepared by `data_prep`, a plain folder of videos, or photos with masks."""

    folder: str = setting(
        dataclasses.MISSING,
        "a prepared dataset, a folder in DAVIS or YouTube-VOS layout, or images/ with masks/",
    )
    split: str | None = setting(
        None,
        "of a prepared dataset, or a list of ImageSets; None: 'train', or every video of a folder",
    )
    weight: float | None = setting(
        None,
        "its share among the sets; None: its number of videos or photos times `repeat`",
        least=0,
    )
    repeat: float = setting(1.0, "how often it counts (5 for DAVIS, which is small)", above=0)
    max_frame_gap: int = setting(
        3,
        "AOT: largest distance of two sampled frames, in annotated frames (3 at 6 per second)",
        least=1,
        was="gap",
    )
    thin: int = setting(
        1,
        "STCN: an annotated frame is every `thin`-th of the full rate (5 in YouTube-VOS)",
        least=1,
    )
    resolution: str | None = setting(None, "of a folder in DAVIS layout; None: 480p if it has one")
    only: str = setting(
        "",
        "regular expression found in the names that are taken, of a plain folder; '' takes all",
        pattern=True,
    )


@dataclasses.dataclass(frozen=True)
class ClipsConfig(Checked):
    """What the training clips are made of.

    Data sets, photos and rendered clips are mixed by their weights; with data sets alone,
    `rendered_weight` is 0. `phases` changes anything from some step on, for a curriculum.
    """

    stills: str = setting("", "a folder with images/ and masks/; '': rendered clips only")
    frames: int = setting(5, "frames of a clip", least=2)
    height: int = setting(465, "of a frame", least=1)
    width: int = setting(465, "of a frame", least=1)
    max_objects: int = setting(10, "most objects of a clip", least=1)
    shuffle: bool = setting(True, "objects get random identities")
    motion: float = setting(1.0, "factor on all motion of coherent and rendered clips", least=0)
    stills_weight: float = setting(0.7, "share of clips made of `stills`", least=0)
    rendered_weight: float = setting(0.3, "share of rendered clips", least=0)
    stills_settings: StillsSettings = setting(StillsSettings(), "of clips made of photos")
    rendered_settings: RenderedSettings = setting(RenderedSettings(), "of rendered clips")
    sets: tuple[DatasetConfig, ...] = setting((), "data sets")
    root: str = setting("", "where relative folders of the sets stand")
    sets_weight: float = setting(1.0, "of all sets together, beside the two weights above", least=0)
    sampler: str = setting(
        "aot", "how clips are made of the sets: a file of vosjax/data/samplers", was="recipe"
    )
    merge: float = setting(0.3, "AOT: probability that two videos are merged", least=0, most=1)
    merges: int = setting(1, "composed: so many times at most, each with that probability", least=1)
    guests: float = setting(
        0.5, "composed: probability that objects of photos cross a video", least=0, most=1
    )
    crowd: float = setting(
        0.0,
        "probability of many small objects in a clip of stills or a rendered one",
        least=0,
        most=1,
    )
    colour: bool = setting(False, "AOT: jitter, grey and blur (its second augmentation)")
    plain: bool = setting(
        False, "AOT: videos cropped and nothing else, as at the end of arXiv 2206.09585"
    )
    skip: int = setting(5, "STCN: largest skip", least=1)
    phases: tuple[Phase, ...] = setting(
        (), "from step `start` on other values hold: dicts of `start` and fields above, in order"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        last = 0
        for number, phase in enumerate(self.phases):
            if phase.get("start", 0) <= last:
                raise FieldError(
                    ("phases", number, "start"),
                    f"is {phase.get('start')}; a step above {last} is expected",
                )
            last = phase["start"]
