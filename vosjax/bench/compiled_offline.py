"""A frame of the offline engine on a chip that is not there: encoded ahead, videos side by side.

The programs are those of `eval.programs` for one part: one that encodes `chunk` frames of each of
`batch` videos, one that follows a frame of each, and one that makes labels. Of the programs
that only differ in what is marked, that of frames without marks is compiled, since a video has few
others. Everything is counted for one frame of one video.
"""

import math
from typing import Any, NamedTuple

import jax

from vosjax.ahead import compiler, roofline
from vosjax.ahead.targets import Target
from vosjax.compose.combinators import mean
from vosjax.eval.plan import SLOTS, Plan
from vosjax.eval.programs import lower_plan
from vosjax.loading.ensembles import Part
from vosjax.types import Model


class OfflineFrame(NamedTuple):
    """What a frame of one video needs, as its share of the programs that work on many.

    operations   operations
    products     those of them in convolutions and matrix products
    bytes        bytes that instructions read and write
    main         those of them that go through the main memory
    unbounded    loops of unknown length, which count once
    seconds      least seconds, by the roofline of each program
    bound        what bounds the program that takes the longest: 'products' or 'bytes'
    temporaries  bytes that the largest of the programs keeps meanwhile, for all videos
    state        bytes of the networks' states, for all videos
    compiling    seconds spent on compiling
    rows         rows of all programs, as in `traffic.Traffic`, of all videos and frames
    """

    operations: float
    products: float
    bytes: float
    main: float
    unbounded: int
    seconds: float
    bound: str
    temporaries: int
    state: int
    compiling: float
    rows: list[Any]


def offline_frame(
    target: Target,
    model: Model,
    params: Any,
    *,
    size: tuple[int, int],
    objects: int,
    memory: int,
    chunk: int,
    batch: int,
) -> OfflineFrame:
    """Compiles the programs of the offline engine for a chip, and counts them.

        offline_frame(chip("v5e"), *shapes("aot:t", "bfloat16"), size=(480, 854), objects=3,
                      memory=8, chunk=8, batch=4).bytes

    Args:
        target: the chip, see `compiled.chip`.
        model: the network.
        params: the shapes of its weights.
        size: (H, W) of the frames.
        objects: number of objects of each video.
        memory: capacity of the memory in frames.
        chunk: number of frames that are encoded at once.
        batch: number of videos that run side by side.

    Raises:
        DoesNotFit: a program needs more memory than the chip has.
    """
    device = compiler.devices(target)[0]
    group = min(objects, model.vos.slots or SLOTS)
    plan = Plan(size, (0,), group, math.ceil(objects / group), memory, 1)
    lowered = lower_plan(
        plan,
        batch,
        [Part(model.vos, params, 0)],
        [device],
        fuse=mean,
        chunk=chunk,
        max_short_side=None,
        packing=None,
    )
    (part,) = lowered.parts
    frames = {part.encode: chunk * batch, part.follow: batch, lowered.outputs: batch}
    programs = [(compiler.measured_lowering(program), count) for program, count in frames.items()]

    def share(name: str) -> float:
        return sum(getattr(program.traffic, name) / count for program, count in programs)

    limits = [
        roofline.bounds(
            target.chip,
            products=program.traffic.products / count,
            moved=program.traffic.main / count,
        )
        for program, count in programs
    ]
    return OfflineFrame(
        share("operations"),
        share("products"),
        share("bytes"),
        share("main"),
        sum(program.traffic.unbounded for program, _ in programs),
        sum(limit.seconds for limit in limits),
        max(limits, key=lambda limit: limit.seconds).bound,
        max(program.temporaries for program, _ in programs),
        _bytes(part.start.out_info),
        sum(program.seconds for program, _ in programs),
        [row for program, _ in programs for row in program.traffic.rows],
    )


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
