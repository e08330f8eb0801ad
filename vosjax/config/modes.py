"""What can be set of modes that no room is configured for: `bench`, `summary`, `prepare`."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class BenchConfig(Checked):
    """What `--mode bench` times: every model with every size, number of objects and so on."""

    models: tuple[str, ...] = setting(
        ("aot:t", "aot:r50"), "configs, with random weights, or 'default'", filled=True
    )
    sizes: tuple[tuple[int, int], ...] = setting(
        ((480, 854),), "of the user's frames, (height, width)", least=1, filled=True
    )
    objects: tuple[int, ...] = setting((1, 3, 10), "objects", least=1, filled=True)
    memory: tuple[int, ...] = setting((4,), "filled memory frames", least=1, filled=True)
    top_k: tuple[int, ...] = setting(
        (), "memory places that a query reads, 0 for all; (): as the models say", least=0
    )
    repeats: int = setting(5, "rounds in which all rows take turns", least=1)
    frames: int = setting(4, "frames timed together in each round", least=1)


@dataclasses.dataclass(frozen=True)
class SummaryConfig(Checked):
    """The frame that `--mode summary` counts."""

    height: int = setting(480, "of the user's frame", least=1)
    width: int = setting(854, "of the user's frame", least=1)
    objects: int = setting(3, "objects", least=1)
    memory: int = setting(4, "filled memory frames", least=1)


@dataclasses.dataclass(frozen=True)
class RenderConfig(Checked):
    """The clips of a rendered dataset (`eval/rendered_set.py`)."""

    clips: int = setting(8, "clips, a video each", least=1)
    frames: int = setting(120, "frames of each", least=1)
    height: int = setting(240, "of a frame", least=1)
    width: int = setting(432, "of a frame", least=1)
    objects: int = setting(3, "most objects in a clip", least=1, most=10)


@dataclasses.dataclass(frozen=True)
class SourceConfig(Checked):
    """A downloaded dataset that is to be prepared."""

    name: str = setting(dataclasses.MISSING, "NAME or NAME/CONFIG of `data_prep`")
    source: str = setting(dataclasses.MISSING, "its folder below --data")
    splits: tuple[str, ...] | None = setting(None, "its splits; None: all that are there")
    exclude: str = setting("", "a file below --data whose videos are left out; '': none")
