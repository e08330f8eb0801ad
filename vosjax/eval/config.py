"""What can be set of a dataset run."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from vosjax.errors import InputError, shown
from vosjax.io.names import name_problem
from vosjax.schema import Checked, FieldError, parse, setting

PROTOCOLS = ("auto", "davis", "youtube", "vos_benchmark")


@dataclasses.dataclass(frozen=True)
class EvalConfig(Checked):
    """Which videos of a dataset are run, how they are scored, and how fast (`--mode eval`)."""

    split: str | None = setting(None, "a list of ImageSets, or of a prepared dataset; None: all")
    year: int = setting(2017, "of DAVIS", choices=(2016, 2017))
    resolution: str = setting("480p", "of DAVIS: the folder below JPEGImages")
    names: tuple[str, ...] = setting((), "only these videos; (): all")
    all_frames: bool = setting(False, "YouTube-VOS: track the frames of FOLDER_all_frames")
    protocol: str = setting("auto", "the rules of scoring", choices=PROTOCOLS)
    seen: str | tuple[str, ...] = setting(
        "", "YouTube-VOS: the classes that count as seen, or a training set's folder"
    )
    drop_last: bool = setting(False, "YouTube-VOS: leave out the last annotated frame")
    processes: int = setting(1, "processes that score, threads that fuse", least=1)
    zip: bool = setting(True, "write the server's file")
    chunk: int | None = setting(
        None, "frames that are encoded at once; None: 8, on CPUs 1", least=1
    )
    batch: int | None = setting(None, "most videos side by side; None: 4, on CPUs 1", least=1)
    spread: bool = setting(False, "views and members on devices of their own")
    probabilities: int = setting(
        0, "bits of a probability kept for --mode fuse: 8 or 16 bits, 0 keeps none",
        choices=(0, 8, 16),
    )  # fmt: skip
    scale: float = setting(0.5, "of the frame's size, at which they are kept", above=0, most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("split", "resolution"):
            problem = getattr(self, field) and name_problem(getattr(self, field))
            if problem:
                raise FieldError((field,), f"is {shown(getattr(self, field))}, which {problem}")
        for number, name in enumerate(self.names):
            if name_problem(name):
                raise FieldError(("names", number), f"is {shown(name)}, which {name_problem(name)}")

    def selection(self) -> dict:
        """The fields that decide what is computed, not where and how fast."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in SPEED
        }


SPEED = ("processes", "zip", "chunk", "batch", "spread")


def recorded(values: Mapping[str, Any], file: str | os.PathLike[str]) -> EvalConfig:
    """What a run's record tells of its `eval`.

        recorded(record["settings"]["eval"], "runs/davis/run.json").split     # 'val'

    Raises:
        InputError: a field that there is not, or of another type; the message names the file.
    """
    try:
        return parse(EvalConfig, values)
    except FieldError as error:
        raise InputError(
            f"{file} is no record of a run that can be used: its eval.{error}"
            if error.path
            else f"{file} is no record of a run that can be used: its eval {error}"
        ) from error
