"""Settings of single modes: bench, plan, studio, summary, export-step, prepare, render."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class BenchConfig(Checked):
    """Settings of `--mode bench`, which times every combination of models, sizes and so on."""

    models: tuple[str, ...] = setting(
        ("aot:t", "aot:r50"), "configs, with random weights, or 'default'", filled=True
    )
    sizes: tuple[tuple[int, int], ...] = setting(
        ((480, 854),), "sizes (height, width) of the user's frames", least=1, filled=True
    )
    objects: tuple[int, ...] = setting((1, 3, 10), "numbers of objects", least=1, filled=True)
    memory: tuple[int, ...] = setting((4,), "numbers of filled memory frames", least=1, filled=True)
    top_k: tuple[int, ...] = setting(
        (),
        "numbers of memory positions that a query reads, 0 for all; (): the models' defaults",
        least=0,
    )
    repeats: int = setting(5, "number of rounds, in each of which all rows are timed", least=1)
    frames: int = setting(4, "number of frames that are timed together in each round", least=1)
    target: str = setting(
        "",
        "a chip that is not there (v4, v5e, v5p, v6e), for which every row is compiled; '': time "
        "the rows here",
    )
    chunk: tuple[int, ...] = setting(
        (),
        "with target: numbers of frames that the offline engine encodes at once; (), with batch: a "
        "tracker's frame",
        least=1,
    )
    batch: tuple[int, ...] = setting(
        (), "with target: numbers of videos that the offline engine runs side by side", least=1
    )
    wait: float = setting(
        0.0,
        "milliseconds of a frame on a device that only waits, beside which the host's share of "
        "segment and eval is measured; 0: no such device",
        least=0,
    )
    clip: int = setting(120, "with wait: number of frames of the clip", least=2)
    largest: int = setting(
        5, "with target: fusions or loops that are listed for each row, by bytes", least=0
    )


@dataclasses.dataclass(frozen=True)
class PlanConfig(Checked):
    """Settings of `--mode plan`: the machine that a training is planned for."""

    target: str = setting(
        "v5e",
        "machine: v4, v5e, v5p or v6e and the shape of the slice, as v5e:4x4; a100, h100 or h200 "
        "and a number, as h100:8; or cpu:2",
        filled=True,
    )
    utilisation: float = setting(
        0.4, "share of the roofline's speed that is counted on", above=0, most=1
    )


@dataclasses.dataclass(frozen=True)
class StudioConfig(Checked):
    """Settings of `--mode studio`."""

    cache: int = setting(512, "megabytes of frames that are kept in memory", least=1)
    upload: int = setting(8192, "megabytes of the largest video that is taken", least=1)


@dataclasses.dataclass(frozen=True)
class SummaryConfig(Checked):
    """Settings of `--mode summary`: the frame whose cost is counted."""

    height: int = setting(480, "height of the user's frame in pixels", least=1)
    width: int = setting(854, "width of the user's frame in pixels", least=1)
    objects: int = setting(3, "number of objects", least=1)
    memory: int = setting(4, "number of filled memory frames", least=1)


@dataclasses.dataclass(frozen=True)
class ExportStepConfig(Checked):
    """Settings of `--mode export-step`: the shapes that the program is made for."""

    height: int = setting(480, "height of the frames in pixels", least=1)
    width: int = setting(854, "width of the frames in pixels", least=1)
    objects: int = setting(3, "number of objects", least=1, most=255)
    memory: int = setting(8, "most remembered frames", least=1)
    platforms: tuple[str, ...] = setting(
        ("cpu", "cuda", "rocm", "tpu"), "where the program can be run", filled=True
    )


@dataclasses.dataclass(frozen=True)
class RenderConfig(Checked):
    """Settings of a rendered dataset's clips (`eval/rendered_set.py`)."""

    clips: int = setting(8, "number of clips, which become a video each", least=1)
    frames: int = setting(120, "number of frames of each clip", least=1)
    height: int = setting(240, "height of a frame in pixels", least=1)
    width: int = setting(432, "width of a frame in pixels", least=1)
    objects: int = setting(3, "largest number of objects in a clip", least=1, most=10)
    object_size: tuple[float, float] = setting(
        (0.2, 0.8), "range of an object's longer side, as a share of the frame's", above=0, most=1
    )
    source: str = setting(
        "rendered",
        "rendered clips; or data: the config's training clips, whose size and length data says",
        choices=("rendered", "data"),
    )


@dataclasses.dataclass(frozen=True)
class SourceConfig(Checked):
    """A downloaded dataset that is to be prepared, for `--mode prepare`."""

    name: str = setting(dataclasses.MISSING, "NAME or NAME/CONFIG of a builder of `data_prep`")
    source: str = setting(dataclasses.MISSING, "folder of the downloaded dataset below --data")
    splits: tuple[str, ...] | None = setting(None, "splits to prepare; None: all that exist")
    exclude: str = setting("", "a file below --data that lists videos to leave out; '': none")
