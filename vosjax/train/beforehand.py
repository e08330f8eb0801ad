"""Checks before the first step: every stage has its data sets and fits its network."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from vosjax.data import pipeline, sets
from vosjax.data.config import ClipsConfig, DatasetConfig
from vosjax.errors import InputError
from vosjax.train import build, checkpoint_folder
from vosjax.train.disk import CHECKPOINTS

# Data sets that `data_prep` prepares, below a folder of this name each.
PUBLISHED = (
    "coco",
    "davis",
    "ecssd",
    "msra10k",
    "ovis",
    "pascal_s",
    "pascal_voc",
    "pixel_imagenet",
    "vipseg",
    "vspw",
    "youtube_vis",
    "youtube_vos",
)
ABSENT = "absent"  # the problem of a data set whose folder does not exist
Key = tuple[str, DatasetConfig]  # a data set and the folder that its own is relative to


class Mixture(NamedTuple):
    """The data sets that a stage trains on from some step on.

    where  the stage and the step, in words
    field  the field of the config that lists the sets: 'data.sets', 'stages[1].data.sets'
    clips  the settings of the clips
    """

    where: str
    field: str
    clips: ClipsConfig

    @property
    def datasets(self) -> list[DatasetConfig]:
        """The sets that are opened: those whose weight is not 0."""
        return [dataset for dataset in sets.as_datasets(self.clips.sets) if dataset.weight != 0]


def check(config: Any, stages: Sequence[tuple[str, Any]], output: pathlib.Path) -> None:
    """Checks every stage that is not complete, so that none fails after the days of another.

        check(config, loop.stages(config), pathlib.Path("runs/seed"))

    Every data set is opened, and every network is built. Trainings on patches are left to
    `boundary.task`.

    Args:
        config: the training's `Config`.
        stages: its `loop.stages`.
        output: the run's folder, which tells the stages that are complete.

    Raises:
        InputError: a network does not fit its stage, or data sets are missing; the message names
            them, the stages that need them, how they are prepared, and what would be trained on
            without them.
    """
    mixtures: list[Mixture] = []
    for number, (name, part) in enumerate(stages):
        if part.data is not None and not _is_complete(output / name, part.train.steps):
            build.configured(part)
            mixtures += _mixtures(config, number, name, part.data)
    problems: dict[Key, str] = {}
    for mixture in mixtures:
        root = mixture.clips.root
        if root and mixture.datasets and not pathlib.Path(root).is_dir():
            raise InputError(
                f"there is no folder {root}, in which the data sets of {mixture.where} are "
                "expected: correct --config.data.root"
            )
        for dataset in mixture.datasets:
            if (root, dataset) not in problems:
                problems[root, dataset] = _problem(dataset, root)
    complaints = [_complaint(mixture, problems) for mixture in mixtures]
    if any(complaints):
        absent = [key for key, problem in problems.items() if problem == ABSENT]
        raise InputError("; ".join([*filter(None, complaints), *_advice(absent)]))


def _is_complete(folder: pathlib.Path, steps: int) -> bool:
    done = checkpoint_folder.steps(folder / CHECKPOINTS)
    return bool(done) and done[-1] >= steps


def _mixtures(config: Any, number: int, name: str, data: ClipsConfig) -> Iterator[Mixture]:
    """Yields the mixture with which a stage begins, and those of its phases that change it."""
    changes = config.stages[number].data if config.stages else {}
    where = f"stage {name}" if name else "the training"

    def field(of: str) -> str:
        return f"stages[{number}].data.{of}" if of in changes else f"data.{of}"

    (_, first), *later = pipeline.phased(data)
    yield Mixture(where, field("sets"), first)
    for index, (start, clips) in enumerate(later):
        if "sets" in data.phases[index]:
            yield Mixture(
                f"{where} from step {start} on", f"{field('phases')}[{index}].sets", clips
            )


def _problem(dataset: DatasetConfig, root: str) -> str:
    """Returns why a data set cannot be trained on, '' if it can."""
    if not (pathlib.Path(root) / dataset.folder).is_dir():
        return ABSENT
    try:
        videos, stills = sets.open_dataset(dataset, root)
    except InputError as error:
        return str(error)
    source: Any = stills if videos is None else videos
    return "" if len(source) else "nothing is in it"


def _complaint(mixture: Mixture, problems: dict[Key, str]) -> str:
    """Returns what a mixture lacks and what it would be without it, '' if it lacks nothing."""
    root, rest, lacking, flags = mixture.clips.root, [], [], []
    for index, dataset in enumerate(sets.as_datasets(mixture.clips.sets)):
        if dataset.weight == 0:
            continue
        split = f" ({dataset.split})" if dataset.split else ""
        if problem := problems[root, dataset]:
            reason = "" if problem == ABSENT else f" ({problem})"
            lacking.append(f"{pathlib.Path(root) / dataset.folder}{split}{reason}")
            flags.append(f"--config.{mixture.field}[{index}].weight=0")
        else:
            rest.append(f"{dataset.folder}{split}")
    if not lacking:
        return ""
    pronoun = "it" if len(lacking) == 1 else "them"
    left = f"train on {_listed(rest)}: to do so, give {' '.join(flags)}" if rest else "have no data"
    return f"{mixture.where} lacks {_listed(lacking)}; without {pronoun} it would {left}"


def _advice(absent: Sequence[Key]) -> Iterator[str]:
    """Yields what may be done about data sets that do not exist."""
    if any(not root for root, _ in absent):
        yield "if they are elsewhere, give --config.data.root=DATASETS, the folder that they are in"
    published = [key for key in absent if key[1].folder.split("/")[0] in PUBLISHED]
    names = list(dict.fromkeys(dataset.folder for _, dataset in published))
    if names:
        root = published[0][0] or "DATASETS"
        name, whom = (names[0], "it") if len(names) == 1 else ("NAME", f"them ({_listed(names)})")
        yield (
            f"`python -m data_prep {name} --source DOWNLOAD --output {root}` prepares {whom}, and "
            "configs/prepare.py many at once"
        )


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
