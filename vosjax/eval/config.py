"""Settings of a dataset run (`--mode eval`)."""

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

    split: str | None = setting(
        None, "split of a prepared dataset, or a list in ImageSets; None: every video"
    )
    year: int = setting(2017, "year of DAVIS", choices=(2016, 2017))
    resolution: str = setting("480p", "DAVIS: the folder of frames below JPEGImages")
    names: tuple[str, ...] = setting((), "run only these videos; (): all")
    all_frames: bool = setting(False, "YouTube-VOS: track the frames of FOLDER_all_frames")
    protocol: str = setting("auto", "the rules of scoring", choices=PROTOCOLS)
    seen: str | tuple[str, ...] = setting(
        "", "YouTube-VOS: the classes that count as seen, or the folder of a training set"
    )
    drop_last: bool = setting(False, "YouTube-VOS: leave out the last annotated frame")
    processes: int = setting(1, "processes that score, or threads that fuse", least=1)
    zip: bool = setting(True, "write the zip file that the server takes")
    chunk: int | None = setting(
        None, "frames that are encoded at once; None: 8 on GPUs, else 1", least=1
    )
    batch: int | None = setting(
        None, "most videos that run side by side; None: 4 on GPUs, else 1", least=1
    )
    spread: bool = setting(False, "distribute views and members over the devices")
    probabilities: int = setting(
        0, "keep probabilities for --mode fuse, with 8 or 16 bits; 0 keeps none", choices=(0, 8, 16)
    )
    scale: float = setting(
        0.5, "size at which probabilities are kept, relative to the frame's", above=0, most=1
    )

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
        """Returns the fields that decide what is computed, without those for where and how fast."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in SPEED
        }


SPEED = ("processes", "zip", "chunk", "batch", "spread")


def recorded(values: Mapping[str, Any], file: str | os.PathLike[str]) -> EvalConfig:
    """Parses the `eval` settings in a run's record.

        recorded(record["settings"]["eval"], "runs/davis/run.json").split     # 'val'

    Args:
        values: the recorded fields.
        file: the file of the record, which error messages name.

    Raises:
        InputError: a field is unknown, or has a wrong type or value.
    """
    try:
        return parse(EvalConfig, values)
    except FieldError as error:
        raise InputError(
            f"{file} is no record of a run that can be used: its eval.{error}"
            if error.path
            else f"{file} is no record of a run that can be used: its eval {error}"
        ) from error
