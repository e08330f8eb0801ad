"""Settings of training clips: datasets, photos, rendered clips, and how they are mixed."""

import dataclasses
from typing import Annotated, Any

from vosjax.data.stills import StillsSettings
from vosjax.data.synthetic.rendered import RenderedSettings
from vosjax.schema import ChangesOf, Checked, FieldError, setting

# Fields of a `ClipsConfig`, and the step, or the share of the steps, after which they take effect.
Phase = Annotated[
    dict[str, Any], ChangesOf(lambda: ClipsConfig, (("start", int), ("after", float)))
]


@dataclasses.dataclass(frozen=True)
class DatasetConfig(Checked):
    """One dataset: prepared by `data_prep`, a plain folder of videos, or photos with masks."""

    folder: str = setting(
        dataclasses.MISSING,
        "a prepared dataset, a folder in DAVIS or YouTube-VOS layout, or images/ with masks/",
    )
    split: str | None = setting(
        None,
        "split of a prepared dataset, or a list in ImageSets; None: 'train', or every video of a "
        "folder",
    )
    weight: float | None = setting(
        None,
        "share of clips among all sets; None: the number of videos or photos times `repeat`; 0: "
        "the set is not opened",
        least=0,
    )
    repeat: float = setting(
        1.0, "how many times each video or photo counts (5 for DAVIS, which is small)", above=0
    )
    max_frame_gap: int = setting(
        3,
        "AOT: largest distance of two sampled frames, in annotated frames (3 at 6 frames/s)",
        least=1,
        was="gap",
    )
    thin: int = setting(
        1,
        "STCN: every `thin`-th frame of the full rate is annotated (5 in YouTube-VOS)",
        least=1,
    )
    resolution: str | None = setting(
        None, "folder of frames below JPEGImages in DAVIS layout; None: 480p if there is one"
    )
    only: str = setting(
        "",
        "of a plain folder, only names in which this regular expression is found; '': all",
        pattern=True,
    )


@dataclasses.dataclass(frozen=True)
class ClipsConfig(Checked):
    """What the training clips are made of.

    Datasets, photos and rendered clips are mixed by their weights; set `rendered_weight` to 0 for
    datasets alone. `phases` changes any field from a given step on, for a curriculum.
    """

    stills: str = setting("", "a folder of photos with images/ and masks/; '': none")
    frames: int = setting(5, "number of frames of a clip", least=2)
    height: int = setting(465, "height of a frame in pixels", least=1)
    width: int = setting(465, "width of a frame in pixels", least=1)
    max_objects: int = setting(10, "largest number of objects in a clip", least=1)
    shuffle: bool = setting(True, "give the objects random identities")
    motion: float = setting(1.0, "factor on all motion in coherent and rendered clips", least=0)
    stills_weight: float = setting(0.7, "share of clips made from `stills`", least=0)
    rendered_weight: float = setting(0.3, "share of rendered clips", least=0)
    stills_settings: StillsSettings = setting(
        StillsSettings(), "settings of clips made from photos"
    )
    rendered_settings: RenderedSettings = setting(RenderedSettings(), "settings of rendered clips")
    sets: tuple[DatasetConfig, ...] = setting((), "the datasets")
    root: str = setting("", "folder that relative folders of the sets are in")
    sets_weight: float = setting(1.0, "share of clips made from all sets together", least=0)
    sampler: str = setting(
        "aot", "how clips are made from the sets: a file of vosjax/data/samplers", was="recipe"
    )
    merge: float = setting(0.3, "AOT: probability that two videos are merged", least=0, most=1)
    merges: int = setting(
        1, "composed: most merges of one clip, each with probability `merge`", least=1
    )
    guests: float = setting(
        0.5, "composed: probability that objects from photos cross a video", least=0, most=1
    )
    crowd: float = setting(
        0.0,
        "probability of many small objects in a rendered clip or one made from photos",
        least=0,
        most=1,
    )
    colour: bool = setting(
        False, "AOT: colour jitter, grey and blur (the reference's augmentation v2)"
    )
    plain: bool = setting(
        False, "AOT: random crops without other augmentation, the last phase of arXiv 2206.09585"
    )
    skip: int = setting(5, "STCN: largest number of skipped frames", least=1)
    phases: tuple[Phase, ...] = setting(
        (),
        "changes during training, in order: dicts of fields above and of a first step `start`, or "
        "of a share `after` of the steps",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        last: dict[str, float] = {"start": 0, "after": 0.0}
        for number, phase in enumerate(self.phases):
            name = "after" if "after" in phase else "start"
            if "start" in phase and "after" in phase:
                raise FieldError(("phases", number), "has start and after: give one of them")
            if phase.get(name, 0) <= last[name]:
                expected = "step" if name == "start" else "share"
                raise FieldError(
                    ("phases", number, name),
                    f"is {phase.get(name)}; a {expected} above {last[name]} is expected",
                )
            if name == "after" and phase[name] >= 1:
                raise FieldError(
                    ("phases", number, name),
                    f"is {phase[name]}; a share of the steps below 1 is expected",
                )
            last[name] = phase[name]


def timed(config: ClipsConfig, steps: int) -> ClipsConfig:
    """Returns a config whose phases all begin at a step, where they may begin after a share.

        timed(ClipsConfig(phases=({"after": 0.9, "plain": True},)), 130_000).phases[0]["start"]

    A share is rounded down to a whole step, but no phase begins before step 1.

    Args:
        config: the config.
        steps: number of steps of the stage that trains on it.

    Raises:
        FieldError: a phase would not begin later than the one before it.
    """
    phases = [
        {"start": max(1, int(phase["after"] * steps + 1e-6))}
        | {name: value for name, value in phase.items() if name != "after"}
        if "after" in phase
        else phase
        for phase in config.phases
    ]
    return dataclasses.replace(config, phases=tuple(phases))
