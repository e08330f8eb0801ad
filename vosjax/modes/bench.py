"""`--mode bench`: time and memory of a frame, by model, size, objects, filled memory and top-k.

With a training config it measures whether the input keeps the training step fed
(`vosjax/bench/training.py`). With `config.bench.target` it compiles the frames for a chip that is
not there (`vosjax/bench/compiled.py`). With `config.bench.wait` it measures the host's share beside
a device that only waits (`vosjax/bench/host.py`).

Frames and weights are random. The first frames compile and fill the memory. Then the rows take
turns, `repeats` times, so that other load on the machine falls on all of them alike. A turn times
frames that are not remembered, then as many that are, each of which replaces another one.
"""

import itertools
import pathlib
import statistics
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from vosjax.ahead import compiler
from vosjax.bench import compiled
from vosjax.bench.inputs import columns, noise
from vosjax.compile_cache import compile_cache
from vosjax.config import Config, opened
from vosjax.errors import InputError
from vosjax.io.files import write_json
from vosjax.io.terminal import say
from vosjax.loading import pretrained
from vosjax.modes import Options, _bench_host
from vosjax.runs import machine
from vosjax.schema import NEVER
from vosjax.tracking.tracker import Tracker

FLAGS = ("output",)
FIELDS = ("dtype", "bench")
ALSO = ("family", "model", "top_k", "train", "data", "stages")  # read from a training config
FOLDER = "output/bench"
REPEATS = 5  # rounds in which input and training step take turns
HEADS = (
    "model",
    "frame",
    "network",
    "objects",
    "memory",
    "top-k",
    "ms/frame",
    "(min-max)",
    "remembered",
    "(min-max)",
    "compile s",
    "temporary MB",
    "state MB",
)


class Row(NamedTuple):
    """A line of the table, ready to be timed."""

    name: str
    size: tuple[int, int]
    objects: int
    memory: int
    top_k: int | None
    tracker: Tracker
    frames: list[np.ndarray]
    compile_seconds: float
    program_bytes: int
    temporary_bytes: int


def run(config: Config, options: Options) -> int:
    """Times the rows of `config.bench`, prints a table, and writes it as JSON.

    Raises:
        InputError: a model is not a config, or names no network.
    """
    if config.train is not None:
        return _input(config, options)
    wished = config.bench
    if wished.wait:
        return _host(config, options)
    if wished.target:
        return _elsewhere(config, options)
    if wished.chunk or wished.batch:
        raise InputError(
            "config.bench.chunk and batch are rows of a config.bench.target; on this machine, "
            "python -m vosjax.bench.engine measures chunks and batches"
        )
    # A program from the disk would say nothing about the time of compiling.
    jax.config.update("jax_enable_compilation_cache", False)
    rows = []
    for name in wished.models:
        model = network(name, config.dtype)
        variants = [pretrained.configure(model, top_k=k or None) for k in wished.top_k] or [model]
        rows += [
            _row(name, variant, size, objects, memory, wished.frames)
            for size, objects, memory, variant in itertools.product(
                wished.sizes, wished.objects, wished.memory, variants
            )
        ]
    times: list[list[tuple[float, float]]] = [[] for _ in rows]
    for _ in range(wished.repeats):
        for row, milliseconds in zip(rows, times):
            milliseconds.append((_timed(row, NEVER), _timed(row, 1)))
    table = [_facts(row, milliseconds) for row, milliseconds in zip(rows, times)]
    versions = machine.versions()
    say(
        f"{versions['device']} ({versions['platform']}), jax {versions['jax']}; median of "
        f"{wished.repeats} x {wished.frames} frames, {config.dtype}, random weights",
        *_lines(table),
    )
    folder = pathlib.Path(options.output or FOLDER)
    write_json(
        folder / "bench.json",
        {
            "versions": versions,
            "repeats": wished.repeats,
            "frames": wished.frames,
            "process_peak_bytes": machine.peak_memory(),
            "rows": table,
        },
    )
    say(f"{folder / 'bench.json'}: the same as json")
    return 0


def _input(config: Config, options: Options) -> int:
    """Measures the row of the input pipeline."""
    from vosjax.bench import training  # imports packages that a plain installation lacks

    figures = training.measure(config, rounds=REPEATS)
    say(*training.lines(figures))
    file = pathlib.Path(options.output or FOLDER) / "bench.json"
    write_json(file, {"versions": machine.versions(), "input": figures})
    say(f"{file}: the same as json")
    return 0


def _host(config: Config, options: Options) -> int:
    """Measures what the host adds to a device's time."""
    figures, text = _bench_host.measure(config)
    say(*text)
    file = pathlib.Path(options.output or FOLDER) / "bench.json"
    write_json(file, {"versions": machine.versions(), "host": figures})
    say(f"{file}: the same as json")
    return 0


def _elsewhere(config: Config, options: Options) -> int:
    """Compiles the rows for a chip that is not there."""
    wished, target = config.bench, compiled.chip(config.bench.target)
    jax.config.update("jax_platforms", "cpu")  # whatever is there is not what is compiled for
    compile_cache()
    table = [
        compiled.row(
            target,
            name,
            dtype=config.dtype,
            size=size,
            objects=objects,
            memory=memory,
            top_k=top_k,
            chunk=chunk,
            batch=batch,
            largest=wished.largest,
        )
        for name, size, objects, memory, top_k, chunk, batch in itertools.product(
            wished.models,
            wished.sizes,
            wished.objects,
            wished.memory,
            wished.top_k or (None,),
            wished.chunk or (None,),
            wished.batch or (None,),
        )
    ]
    chip = target.chip
    say(
        f"one {target.kind}, {config.dtype}: {compiler.described(target)}; nothing was measured. "
        f"frames/s: the roofline of {chip.products / 1e12:g} Tops/s and "
        f"{chip.bandwidth / 1e9:g} GB/s",
        *compiled.lines(table),
    )
    file = pathlib.Path(options.output or FOLDER) / "bench.json"
    write_json(file, {"target": target.kind, "rows": table})
    say(f"{file}: the same as json")
    return 0


def network(name: str, dtype: str) -> pretrained.Loaded:
    """Builds the model of a config with random weights; 'default' is the embedded one.

        network("aot:r50", "float32")

    Args:
        name: name of a file in configs/, with its argument: 'aot:r50'; or a file's path.
        dtype: 'float32' or 'bfloat16'.

    Raises:
        InputError: there is no such config, or it names no network.
    """
    if name == "default":
        return pretrained.load(dtype=dtype)
    try:
        config = opened(name)
    except InputError as error:
        raise InputError(f"config.bench.models names {name!r}: {error}") from error
    if not config.family:
        raise InputError(
            f"config.bench.models names {name!r}, which names no network; 'default' is the "
            "embedded one"
        )
    return pretrained.fresh({"family": config.family, "model": config.settings, "dtype": dtype})


def _row(
    name: str,
    model: pretrained.Loaded,
    size: tuple[int, int],
    objects: int,
    memory: int,
    frames: int,
) -> Row:
    images = noise(size, frames)
    tracker = Tracker(model, objects=objects, mem_every=1, capacity=memory, max_mem_frames=memory)
    start = time.perf_counter()
    program = tracker.compile(*size)
    seconds = time.perf_counter() - start
    tracker.step(images[0], columns(size, objects))
    for _ in range(memory):
        tracker.step(images[0])
    memory_use: Any = program.memory_analysis()
    held = (
        memory_use.argument_size_in_bytes
        + memory_use.output_size_in_bytes
        + memory_use.temp_size_in_bytes
    )
    return Row(
        name,
        size,
        objects,
        memory,
        model.config["model"].get("top_k"),
        tracker,
        images,
        seconds,
        held - memory_use.alias_size_in_bytes,
        memory_use.temp_size_in_bytes,
    )


def _timed(row: Row, mem_every: int) -> float:
    """Returns milliseconds per frame; each result is fetched while the next frame is computed."""
    row.tracker.mem_every = mem_every
    start = time.perf_counter()
    fetch = row.tracker.submit(row.frames[0])
    for frame in row.frames[1:]:
        following = row.tracker.submit(frame)
        fetch()
        fetch = following
    fetch()
    return 1000 * (time.perf_counter() - start) / len(row.frames)


def _facts(row: Row, milliseconds: list[tuple[float, float]]) -> dict:
    plain, remembered = (list(times) for times in zip(*milliseconds))
    spec: Any = row.tracker.spec
    median = statistics.median(plain)
    return {
        "model": row.name,
        "size": list(row.size),
        "network": [spec.height, spec.width],
        "objects": row.objects,
        "memory": row.memory,
        "top_k": row.top_k,
        "milliseconds": plain,
        "median": median,
        "frames_per_second": 1000 / median,
        "remembered_milliseconds": remembered,
        "remembered_median": statistics.median(remembered),
        "compile_seconds": row.compile_seconds,
        "program_bytes": row.program_bytes,
        "temporary_bytes": row.temporary_bytes,
        "state_bytes": row.tracker.state_bytes,
        "traces": row.tracker.traces,
    }


def _lines(table: list[dict]) -> list[str]:
    cells = [HEADS] + [
        (
            row["model"],
            "{}x{}".format(*row["size"]),
            "{}x{}".format(*row["network"]),
            str(row["objects"]),
            str(row["memory"]),
            str(row["top_k"] or "all"),
            f"{row['median']:.1f}",
            _spread(row["milliseconds"]),
            f"{row['remembered_median']:.1f}",
            _spread(row["remembered_milliseconds"]),
            f"{row['compile_seconds']:.1f}",
            f"{row['temporary_bytes'] / 1e6:.0f}",
            f"{row['state_bytes'] / 1e6:.1f}",
        )
        for row in table
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    return ["  ".join(text.rjust(width) for text, width in zip(line, widths)) for line in cells]


def _spread(times: list[float]) -> str:
    return f"({min(times):.1f}-{max(times):.1f})"
