"""`--mode export-step`: a network's step as a program that JAX runs without this package.

The folder holds init.stablehlo and step.stablehlo (`jax.export`), weights.npz, layout.json, and
run.py, ten lines that take a video through them.
"""

import pathlib
import shutil

import numpy as np

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.files import atomic, write_bytes, write_json
from vosjax.io.terminal import say
from vosjax.loading.ensembles import AVERAGES, composed_network
from vosjax.modes import Options
from vosjax.tracking.portable import PortableStep, portable_step

FLAGS = ("output", "overwrite")
FIELDS = ("export_step", "weights", "mem_every", "max_short_side", "top_k", "dtype", "tta")
ALSO = ("family", "model", "max_mem_frames", "members", "only", "feedback", "fuse", "keypoints")
INIT, STEP, WEIGHTS, LAYOUT, PROGRAM = (
    "init.stablehlo",
    "step.stablehlo",
    "weights.npz",
    "layout.json",
    "run.py",
)
EXAMPLE = pathlib.Path(__file__).parents[1] / "tracking" / "portable_run.py.txt"


def run(config: Config, options: Options) -> int:
    """Writes the step of the config's network to the folder `options.output`.

    Raises:
        InputError: no folder is named, or it is not empty; the config's networks vote by key
            points, which is done on the host; or a setting is impossible.
    """
    if not options.output:
        raise InputError("export-step needs a place for its files: give --output FOLDER")
    folder = pathlib.Path(options.output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not options.overwrite or not (folder / LAYOUT).is_file():
            raise InputError(
                f"{folder} is not empty: name another folder"
                + (", or give --overwrite" if (folder / LAYOUT).is_file() else "")
            )
    if config.fuse not in AVERAGES and len(config.members) > 1:
        raise InputError(
            f"config.fuse is {config.fuse!r}, which is computed on the host by OpenCV: a step that "
            f"is exported takes {' or '.join(AVERAGES)}"
        )
    asked = config.export_step
    portable = portable_step(
        composed_network(config),
        (asked.height, asked.width),
        objects=asked.objects,
        capacity=asked.memory,
        platforms=asked.platforms,
        max_short_side=config.max_short_side,
    )
    sizes = write(portable, folder)
    say(
        *(f"{folder / name}: {size / 1e6:.1f} MB" for name, size in sizes.items()),
        f"python {folder / PROGRAM} FRAMES MASK.png: follows the objects of a mask, with JAX, "
        "NumPy and Pillow alone",
    )
    return 0


def write(portable: PortableStep, folder: pathlib.Path) -> dict[str, int]:
    """Writes an exported step to a folder, and returns {file: bytes}.

    sizes = write(portable, pathlib.Path("step"))
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / INIT, bytes(portable.init.serialize()))
    write_bytes(folder / STEP, bytes(portable.step.serialize()))
    with atomic(folder / WEIGHTS) as place, open(place, "wb") as file:
        np.savez(file, *portable.weights.values())
    with atomic(folder / PROGRAM) as place:
        shutil.copyfile(EXAMPLE, place)
    write_json(folder / LAYOUT, portable.layout)
    return {name: (folder / name).stat().st_size for name in (INIT, STEP, WEIGHTS, LAYOUT, PROGRAM)}
