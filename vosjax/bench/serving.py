"""Frames/s of several sessions of a server, batched beside one by one.

    python -m vosjax.bench.serving --sessions 1,4,16 --size 240x432

Every session follows one object through frames of its own. In each round all sessions have a few
frames, once with `server.device.Device(batch=1)` and once with the largest batch. The two take
turns, so that what else the machine does meets both. Nothing is decoded, encoded or sent.
"""

import re
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vosjax.compile_cache import compile_cache
from vosjax.errors import InputError
from vosjax.io.door import Parser, count, guarded
from vosjax.io.terminal import say
from vosjax.loading.pretrained import Loaded, load
from vosjax.server.batch import SIZES
from vosjax.server.device import Device
from vosjax.tracking.tracker import Tracker

CAPACITY = 4  # memory frames, all of which are filled before anything is timed


class Row(NamedTuple):
    """Frames/s of all sessions together, a value a round.

    sessions  how many there are
    alone     frame by frame
    batched   in as few calls as there can be
    calls     calls of the batched rounds, by batch size
    """

    sessions: int
    alone: list[float]
    batched: list[float]
    calls: dict[int, int]

    @property
    def ratios(self) -> list[float]:
        """How many times as fast batches are, a value a round."""
        return [batched / alone for alone, batched in zip(self.alone, self.batched)]


def measure(
    model: Loaded, sessions: int, *, size: tuple[int, int], rounds: int, frames: int
) -> Row:
    """Measures a number of sessions.

        measure(load(), 4, size=(240, 432), rounds=5, frames=4).ratios

    Args:
        model: the network.
        sessions: number of sessions.
        size: (H, W) of the frames.
        rounds: number of rounds.
        frames: number of frames of each session in a round.
    """
    most = max(size for size in SIZES if size <= max(sessions, 1))
    devices = {"alone": Device(batch=1), "batched": Device(batch=most, gather=0.1)}
    speeds: dict[str, list[float]] = {name: [] for name in devices}
    try:
        trackers = {
            name: [
                Tracker(model, objects=1, capacity=CAPACITY, max_mem_frames=CAPACITY)
                for _ in range(sessions)
            ]
            for name in devices
        }
        for name, device in devices.items():
            _begin(device, trackers[name], size, model.config["mem_every"])
        before = devices["batched"].calls.copy()
        for _ in range(rounds):
            for name, device in devices.items():
                start = time.perf_counter()
                for _ in range(frames):
                    _step(device, trackers[name], size)
                speeds[name].append(sessions * frames / (time.perf_counter() - start))
        calls = devices["batched"].calls - before
    finally:
        for device in devices.values():
            device.close()
    return Row(sessions, speeds["alone"], speeds["batched"], dict(sorted(calls.items())))


def _begin(device: Device, trackers: list[Tracker], size: tuple[int, int], mem_every: int) -> None:
    """Marks an object in every session, fills the memory, and waits for all programs."""
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    _step(device, trackers, size, mask)
    for _ in range(CAPACITY * mem_every):
        _step(device, trackers, size)
    while device.compiling:
        time.sleep(0.05)
    _step(device, trackers, size)
    while device.compiling:
        time.sleep(0.05)


def _step(
    device: Device,
    trackers: list[Tracker],
    size: tuple[int, int],
    mask: np.ndarray | None = None,
) -> None:
    """Takes a frame of every session, each one of its own, and waits for all results."""
    futures = []
    for number, tracker in enumerate(trackers):
        frame = np.random.default_rng(number + 1000 * tracker.time).integers(0, 255, (*size, 3))
        futures.append(device.step(tracker, frame.astype(np.uint8), mask))
    for future in futures:
        future.result()


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    return guarded("serving", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.serving", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--weights")
    parser.add_argument("--sessions", default="1,4,16")
    parser.add_argument("--size", default="240x432", help="height x width")
    parser.add_argument("--rounds", type=count, default=5)
    parser.add_argument("--frames", type=count, default=2)
    options = parser.parse_args(words)
    numbers, sides = _numbers(options.sessions, ","), _numbers(options.size, "x")
    if len(sides) != 2:
        raise InputError(f"--size is {options.size}; HEIGHTxWIDTH is expected, as in 240x432")
    compile_cache()
    model = load(options.weights)
    say("sessions  one by one      batched         batched / one by one")
    for number in numbers:
        row = measure(
            model, number, size=(sides[0], sides[1]), rounds=options.rounds, frames=options.frames
        )
        say(
            f"{number:>8}  {_spread(row.alone)}  {_spread(row.batched)}  {_spread(row.ratios)}  "
            f"calls {row.calls}"
        )


def _numbers(text: str, between: str) -> list[int]:
    parts = text.split(between)
    if not all(re.fullmatch("[1-9][0-9]{0,4}", part) for part in parts):
        raise InputError(f"{text!r} was given; whole numbers separated by {between!r} are expected")
    return [int(part) for part in parts]


def _spread(values: list[float]) -> str:
    return f"{np.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
