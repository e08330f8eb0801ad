"""The time of a frame beside the PyTorch originals, on the same device and in turns.

    python -m vosjax.bench.beside --models aot:t,aot:r50,stcn --aot AOT-BENCHMARK --stcn STCN

AOT-BENCHMARK and STCN are clones of the authors' repositories (docs/beside_pytorch.md). Both sides
segment the same random frames with as many objects and remembered frames, and hand over the labels
of each before they get the next. A round times frames that are not remembered and then as many that
are, of the one and of the other.
"""

import os
import pathlib
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from vosjax.bench.inputs import columns, noise
from vosjax.bench.originals import Step, original, torch_version
from vosjax.config import opened
from vosjax.io.door import Parser, count, counts, guarded, size
from vosjax.io.terminal import say
from vosjax.loading import pretrained
from vosjax.runs import machine
from vosjax.schema import NEVER
from vosjax.tracking.tracker import Tracker


class Turn(NamedTuple):
    """Seconds a frame of one side in one round.

    wall  by the clock
    cpu   of all threads of the process
    """

    wall: float
    cpu: float


class Sides(NamedTuple):
    """The turns of both sides, one of each a round."""

    ours: list[Turn]
    original: list[Turn]

    def ratios(self, clock: str) -> list[float]:
        """Returns our time over the original's in each round, by 'wall' or by 'cpu'."""
        pairs = zip(self.ours, self.original)
        return [getattr(one, clock) / getattr(other, clock) for one, other in pairs]


def measure(ours: Step, other: Step, *, frames: int, rounds: int) -> dict[str, Sides]:
    """Times two functions that segment a frame, in turns.

        measure(ours, original, frames=8, rounds=5)["not remembered"].ratios("wall")

    Args:
        ours: takes the number of a frame and whether it is remembered, and returns its labels.
        other: likewise.
        frames: number of frames of a turn.
        rounds: number of rounds; one more comes before them, which is not counted.

    Returns:
        {'not remembered', 'remembered': `Sides`}.
    """
    sides = {name: Sides([], []) for name in ("not remembered", "remembered")}
    for number in range(rounds + 1):
        for name, both in sides.items():
            for step, turns in zip((ours, other), both):
                wall, cpu = time.perf_counter(), time.process_time()
                for index in range(frames):
                    step(index, name == "remembered")
                turn = Turn(time.perf_counter() - wall, time.process_time() - cpu)
                if number:
                    turns.append(Turn(turn.wall / frames, turn.cpu / frames))
    return sides


def tracker_step(
    name: str, *, frames: list[np.ndarray], labels: np.ndarray, memory: int, dtype: str
) -> Step:
    """Returns a config's tracker, with a full memory and random weights, as `measure` takes it.

    Args:
        name: a config of a network: 'aot:r50'.
        frames: uint8 [H, W, 3].
        labels: uint8 [H, W], the objects of the first frame.
        memory: number of remembered frames.
        dtype: 'float32' or 'bfloat16'.
    """
    config = opened(name)
    model = pretrained.fresh({"family": config.family, "model": config.settings, "dtype": dtype})
    tracker = Tracker(
        model, objects=int(labels.max()), mem_every=1, capacity=memory, max_mem_frames=memory
    )
    tracker.step(frames[0], labels)
    for _ in range(memory):
        tracker.step(frames[0])

    def step(index: int, remember: bool) -> np.ndarray:
        tracker.mem_every = 1 if remember else NEVER
        return tracker.step(frames[index]).labels

    return step


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a table; returns the exit code."""
    return guarded("beside", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.beside", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--models", type=lambda text: text.split(","), default=["aot:r50", "stcn"])
    parser.add_argument("--aot", type=pathlib.Path, help="a clone of aot-benchmark")
    parser.add_argument("--stcn", type=pathlib.Path, help="a clone of STCN")
    parser.add_argument("--size", type=size, default=(480, 854), help="height x width")
    parser.add_argument("--objects", type=counts, default=[1, 3, 10])
    parser.add_argument("--memory", type=count, default=5, help="remembered frames")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--frames", type=count, default=8, help="of a turn")
    parser.add_argument("--rounds", type=count, default=5)
    options = parser.parse_args(words)
    # Both sides share a GPU, of which JAX would otherwise take three quarters at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    given = {"aot": options.aot, "stcn": options.stcn}
    folders = {name: folder for name, folder in given.items() if folder is not None}
    frames = noise(options.size, options.frames)
    for name in options.models:
        for objects in options.objects:
            asked: dict[str, Any] = dict(
                frames=frames,
                labels=columns(options.size, objects),
                memory=options.memory,
                dtype=options.dtype,
            )
            other = original(name, folders, **asked)
            ours = tracker_step(name, **asked)
            sides = measure(ours, other, frames=options.frames, rounds=options.rounds)
            say(*(_line(name, objects, kind, both) for kind, both in sides.items()))
    versions = machine.versions()
    say(
        f"{versions['device']} ({versions['platform']}), jax {versions['jax']}, torch "
        f"{torch_version()}; {options.rounds} rounds of {options.frames} frames "
        f"{options.size[0]}x{options.size[1]}, {options.memory} remembered, {options.dtype}"
    )


def _line(name: str, objects: int, kind: str, sides: Sides) -> str:
    words = f"{name:<10} {objects:>2} objects, {kind:<14}"
    if jax.default_backend() != "cpu":
        ours, other = (statistics.median(turn.wall for turn in turns) for turns in sides)
        words += f" {1 / ours:7.1f} frames/s, original {1 / other:7.1f};"
    return (
        words
        + " time over the original's: "
        + ", ".join(
            f"{clock} {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            for clock in ("wall", "cpu")
            for ratios in [sides.ratios(clock)]
        )
    )


if __name__ == "__main__":
    sys.exit(main())
