"""Measures what each part of the offline engine gains: whole videos are run in four ways.

    python -m vosjax.bench.engine [--config aot:t] [--weights FOLDER]

Each way adds something to the one before it:
  frame by frame   read, compute and write one after the other (`Tracker.step`)
  overlapped       read and write while the device computes (`Engine`, one frame at a time)
  encoded ahead    encode `--chunk` frames at a time
  side by side     run `--batch` videos in one `vmap`

Each round runs all ways once over the same rendered videos. It prints the median frames/s of each
way with its range, and the gain over the first way. Compilation is not counted. Without --weights
the weights are random, which takes the same time.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from vosjax.config import opened
from vosjax.eval import dataset, plan, rendered_set, videos
from vosjax.eval import folder as run_folder
from vosjax.eval.engine import Engine
from vosjax.io.door import Parser, count, guarded, size
from vosjax.io.palette import write_label_png
from vosjax.io.terminal import say
from vosjax.loading import pretrained
from vosjax.loading.ensembles import Part
from vosjax.loading.pretrained import Loaded
from vosjax.runs import machine
from vosjax.tracking.tracker import Tracker


def measure(
    model: Loaded, data: str | os.PathLike[str], *, chunk: int, batch: int, rounds: int
) -> dict[str, list[float]]:
    """Measures all ways over the videos of a dataset: returns {way: frames/s of each round}.

        rates = measure(load(), "DAVIS", chunk=8, batch=4, rounds=3)

    Args:
        model: the network.
        data: a folder in the layout of DAVIS.
        chunk: number of frames that are encoded at a time.
        batch: number of videos that run side by side.
        rounds: number of rounds.
    """
    sequences = videos.discover(data)
    count = sum(len(sequence.frames) for sequence in sequences)
    slots, config = model.model.vos.slots, model.config
    memory = dataset.Memory(config["mem_every"], config["max_mem_frames"])
    part = Part(model.model.vos, model.params, 0)
    engines = {
        "overlapped": (Engine([part]), 1),
        "encoded ahead": (Engine([part], chunk=chunk), 1),
        "side by side": (Engine([part], chunk=chunk), batch),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ("frame by frame", *engines)}
    for _ in range(rounds + 1):  # the first one compiles
        with tempfile.TemporaryDirectory() as scratch:
            start = time.perf_counter()
            _frame_by_frame(model, sequences, pathlib.Path(scratch))
            seconds["frame by frame"].append(time.perf_counter() - start)
        for name, (engine, together) in engines.items():
            with tempfile.TemporaryDirectory() as scratch:
                settings = dataset.RunConfig(pathlib.Path(scratch), memory, together, 2017)
                start, before = time.perf_counter(), engine.compile_seconds
                dataset.run(sequences, [engine], settings, slots=slots, stop=[])
                elapsed = time.perf_counter() - start - (engine.compile_seconds - before)
                seconds[name].append(elapsed)
                if len(list((pathlib.Path(scratch) / "videos").glob("*.json"))) < len(sequences):
                    raise RuntimeError(f"{name}: {run_folder.failures(scratch)}")
    return {name: [count / elapsed for elapsed in times[1:]] for name, times in seconds.items()}


def _frame_by_frame(model: Loaded, sequences: Any, folder: pathlib.Path) -> None:
    for sequence in sequences:
        size = videos.frame_size(sequence, 0)
        shapes = plan.plan(
            sequence,
            size,
            slots=model.model.vos.slots,
            mem_every=model.config["mem_every"],
            max_mem_frames=model.config["max_mem_frames"],
        )
        tracker = Tracker(model, objects=shapes.slots, capacity=shapes.capacity)
        for index in range(len(sequence.frames)):
            labels_given = videos.read_given(sequence, index) if index in shapes.annotated else None
            labels, _ = tracker.step(videos.read_frame(sequence, index), labels_given)
            write_label_png(run_folder.mask_file(folder, sequence, index), labels)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what each way is worth; returns the exit code."""
    return guarded("engine", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.engine", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--config", default="aot:t", help="a file or a name")
    parser.add_argument("--weights")
    parser.add_argument("--mem_every", type=count, default=5, help="frames between remembered ones")
    parser.add_argument("--size", type=size, default=(480, 854), help="height x width")
    parser.add_argument("--frames", type=count, default=40)
    parser.add_argument("--videos", type=count, default=4)
    parser.add_argument("--objects", type=count, default=1, help="most in a video")
    parser.add_argument("--chunk", type=count, default=8)
    parser.add_argument("--batch", type=count, default=4)
    parser.add_argument("--rounds", type=count, default=3)
    options = parser.parse_args(words)
    config = opened(options.config)
    model = (
        pretrained.load(options.weights, mem_every=options.mem_every)
        if options.weights
        else pretrained.fresh(
            {"family": config.family, "model": config.settings, "mem_every": options.mem_every}
        )
    )
    with tempfile.TemporaryDirectory() as scratch:
        rendered_set.write(
            scratch,
            clips=options.videos,
            frames=options.frames,
            size=options.size,
            objects=options.objects,
        )
        rates_of = measure(
            model, scratch, chunk=options.chunk, batch=options.batch, rounds=options.rounds
        )
    versions = machine.versions()
    say(
        f"{versions['device']} ({versions['platform']}, {len(jax.local_devices())} devices), jax "
        f"{versions['jax']}; {options.videos} videos of {options.frames} frames "
        f"{options.size[0]}x{options.size[1]}"
    )
    first = statistics.median(rates_of["frame by frame"])
    for name, rates in rates_of.items():
        middle = statistics.median(rates)
        say(
            f"{name:<15} {middle:8.2f} frames/s ({min(rates):.2f} .. {np.max(rates):.2f}), "
            f"{middle / first:.2f} times the first"
        )


if __name__ == "__main__":
    sys.exit(main())
