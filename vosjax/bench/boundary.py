"""Measures what boundary refinement adds to the time of a network's frame.

    python -m vosjax.bench.boundary [--model aot:t] [--boundary NAME] [--objects 3]

The frame is random, its objects are ellipses side by side. A frame that is not remembered
(`Tracker.step`) and the stage, on probabilities of these ellipses, take turns, so that other load
falls on both alike. Weights are random, but for the model 'default', and for `--boundary`. Those of
the boundary network decide what comes of a patch, not how long that takes.
"""

import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from vosjax.checkpoints.weights import save_weights
from vosjax.config import opened
from vosjax.io.door import Parser, count, guarded, size
from vosjax.io.terminal import say
from vosjax.loading import pretrained
from vosjax.loading.pretrained import Loaded
from vosjax.refine.boundary.network import FAMILY, build
from vosjax.refine.config import RefineConfig
from vosjax.refine.refiner import Refiner, load_refiner, refine_program
from vosjax.runs import machine
from vosjax.schema import NEVER
from vosjax.tracking.tracker import Tracker

SMALL = "bpr:small"  # the config of the boundary network that is measured with random weights
SURE = 0.9  # probability of an object within its ellipse


class Times(NamedTuple):
    """Seconds in each round, and the patches that were refined in a frame.

    frame    seconds of the network's frame
    stage    seconds of the stage
    patches  how many went through the boundary network
    """

    frame: list[float]
    stage: list[float]
    patches: int

    @property
    def ratios(self) -> list[float]:
        """The stage's time as a share of the frame's, in each round."""
        return [stage / frame for stage, frame in zip(self.stage, self.frame)]


def ellipses(shape: tuple[int, int], objects: int) -> npt.NDArray[np.uint8]:
    """Draws labels, uint8 [H, W], with one ellipse an object, side by side.

    labels = ellipses((480, 854), 3)
    """
    height, width = shape
    y, x = np.mgrid[:height, :width]
    labels = np.zeros(shape, np.uint8)
    for number in range(objects):
        centre, flat = (number + 0.5) * width / objects, 0.15 + 0.05 * (number % 3)
        inside = ((y - height / 2) / (flat * height)) ** 2 + (
            (x - centre) / (width / 3 / objects)
        ) ** 2 < 1
        labels[inside] = number + 1
    return labels


def measure(
    model: Loaded, refiner: Refiner, *, shape: tuple[int, int], objects: int, rounds: int
) -> Times:
    """Times a frame of a network and the stage in turns.

        measure(model, random_refiner(), shape=(480, 854), objects=3, rounds=5).ratios

    Args:
        model: the network.
        refiner: the stage and its weights.
        shape: (H, W) of the frame.
        objects: number of objects.
        rounds: number of rounds; another one before them compiles.
    """
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    labels = ellipses(shape, objects)
    tracker = Tracker(model, objects=objects, mem_every=NEVER)
    tracker.step(frame, labels)
    assert tracker.spec is not None
    slots = tracker.spec.objects
    one_hot = labels == np.arange(slots + 1)[:, None, None]
    soft = np.where(np.arange(slots + 1) <= objects, (1 - SURE) / objects, 0)
    probs = jax.device_put(np.where(one_hot, SURE, soft[:, None, None]).astype(np.float32))
    program, given = refine_program(refiner.stage), np.zeros(slots, bool)

    def refine() -> Any:
        return jax.block_until_ready(program(refiner.params, frame, probs, given))

    _, counts = refine()
    tracker.step(frame)
    rows = [(_timed(lambda: tracker.step(frame)), _timed(refine)) for _ in range(rounds)]
    frames, stages = (list(column) for column in zip(*rows))
    return Times(frames, stages, int(counts["patches"]))


def random_refiner(name: str = SMALL) -> Refiner:
    """Returns a stage with random weights of a boundary network.

        refiner = random_refiner()

    Args:
        name: a config of the family bpr.
    """
    settings = opened(name).settings
    card = {
        "family": FAMILY,
        "config": {"model": settings},
        "source": "random numbers",
        "licence": "none",
    }
    with tempfile.TemporaryDirectory(prefix="vosjax-") as scratch:
        folder = pathlib.Path(scratch) / "random"
        save_weights(folder, jax.jit(build(**settings).init_params)(jax.random.key(0)), card=card)
        refiner = load_refiner(RefineConfig(boundary=str(folder)))
    assert refiner is not None
    return refiner


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> int:
    """Prints both times and their ratio; returns the exit code."""
    return guarded("boundary", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.boundary", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", default="aot:t", help="a config, or default")
    parser.add_argument("--boundary", help="a folder of weights; random ones without it")
    parser.add_argument("--size", type=size, default=(480, 854), help="height x width")
    parser.add_argument("--objects", type=count, default=3)
    parser.add_argument("--rounds", type=count, default=9)
    options = parser.parse_args(words)
    refiner = load_refiner(RefineConfig(boundary=options.boundary or "")) or random_refiner()
    if options.model == "default":
        model = pretrained.load()
    else:
        config = opened(options.model)
        model = pretrained.fresh({"family": config.family, "model": config.settings})
    times = measure(
        model, refiner, shape=options.size, objects=options.objects, rounds=options.rounds
    )
    versions = machine.versions()
    say(
        f"{versions['device']} ({versions['platform']}), jax {versions['jax']}; "
        f"{options.objects} objects at {options.size[0]}x{options.size[1]}, {times.patches} "
        f"patches; boundary network: {options.boundary or SMALL + ', random weights'}"
    )
    for name, values, unit, scale in (
        (f"a frame of {options.model}", times.frame, "ms", 1000),
        ("boundary refinement", times.stage, "ms", 1000),
        ("and of the frame's time", times.ratios, "%", 100),
    ):
        low, middle, high = (
            scale * value for value in (min(values), statistics.median(values), max(values))
        )
        say(f"{name:<26}{middle:9.1f} {unit} ({low:.1f} .. {high:.1f})")


if __name__ == "__main__":
    sys.exit(main())
