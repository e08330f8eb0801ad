"""A network's frame on a chip that is not there: compiled for it, with nothing measured.

The program is the one that a tracker runs for a frame. Its operations, bytes and memory are those
that the chip's own compiler gives it, and its speed is the roofline's at the stated peak figures.
A conditional (is the frame remembered, is anything marked in it?) counts with the branch that moves
the most bytes, so that the row is that of the most expensive frame.
"""

import math
from typing import Any

import jax
import numpy as np

from vosjax import models
from vosjax.ahead import compiler, roofline, targets, traffic
from vosjax.ahead.targets import Target
from vosjax.bench.compiled_offline import offline_frame
from vosjax.config import opened
from vosjax.errors import InputError
from vosjax.layers.precision import cast
from vosjax.loading import pretrained
from vosjax.schema import NEVER
from vosjax.tracking.frame import nothing_marked
from vosjax.tracking.slots import MemoryCounters, ObjectSlots
from vosjax.tracking.state import NetworkState
from vosjax.tracking.step import MemoryClock
from vosjax.types import Model

HEADS = (
    "model",
    "frame",
    "objects",
    "memory",
    "top-k",
    "chunk",
    "batch",
    "Gop",
    "GB",
    "GB in memory",
    "temporary MB",
    "state MB",
    "frames/s",
    "bound by",
    "compile s",
)


def chip(text: str) -> Target:
    """Parses the target of a bench: one chip that has a compiler of its own.

        chip("v5e").devices     # 1

    Raises:
        InputError: it is no single TPU chip, or a kind of which nothing can be said without it.
    """
    target = targets.parsed(text)
    if target.chip.platform != "tpu":
        raise InputError(
            f"config.bench.target is {text!r}: there is no {target.kind.upper()} compiler without "
            "the device, and nothing is claimed of it; on such a machine, --mode bench without a "
            "target measures"
        )
    if target.devices != 1:
        raise InputError(
            f"config.bench.target is {text!r}: a frame runs on one chip; give {target.kind}"
        )
    return target


def shapes(name: str, dtype: str, top_k: int | None = None) -> tuple[Model, Any]:
    """Returns a config's network and the shapes of its weights, without computing a weight.

        model, params = shapes("aot:r50", "bfloat16")

    Args:
        name: a config of a network, or 'default' for the embedded one.
        dtype: 'float32' or 'bfloat16'.
        top_k: number of memory positions that a query reads, 0 for all; None takes the config's.

    Raises:
        InputError: there is no such config, or it names no network.
    """
    changes: dict[str, Any] = {} if top_k is None else {"top_k": top_k or None}
    if name == "default":
        loaded = pretrained.load(dtype=dtype, **changes)
        return loaded.model, jax.eval_shape(lambda: loaded.params)
    try:
        config = opened(name)
    except InputError as error:
        raise InputError(f"config.bench.models names {name!r}: {error}") from error
    if not config.family:
        raise InputError(f"config.bench.models names {name!r}, which names no network")
    model = models.build(config.family, **{**config.settings, **changes})
    return model, jax.eval_shape(
        lambda key: cast(model.init_params(key), dtype), jax.random.PRNGKey(0)
    )


def frame(
    model: Model, params: Any, size: tuple[int, int], objects: int, memory: int
) -> tuple[Any, tuple]:
    """Returns the program of a tracker's frame, and its arguments as shapes.

        program, arguments = frame(model, params, (480, 854), objects=10, memory=8)

    Args:
        model: the network.
        params: the shapes of its weights.
        size: (H, W) of the user's frames.
        objects: number of objects; more than the network's slots take several groups.
        memory: capacity of the memory in frames.
    """
    group = min(objects, model.vos.slots or NEVER)
    slots = ObjectSlots.empty(group, math.ceil(objects / group))
    network = NetworkState(
        model.vos._replace(slots=group), params, None, slots, MemoryCounters(memory), size
    )
    zero = np.int32(0)
    return network.program().network, (
        params,
        network.shapes(),
        np.zeros((*size, 3), np.uint8),
        nothing_marked(size, slots.count),
        np.array(slots.ids, np.uint8),
        MemoryClock(zero, zero, zero),
    )


def row(
    target: Target,
    name: str,
    *,
    dtype: str,
    size: tuple[int, int],
    objects: int,
    memory: int,
    top_k: int | None = None,
    chunk: int | None = None,
    batch: int | None = None,
    largest: int = 5,
) -> dict:
    """Compiles a frame for a chip, and returns what it needs as plain data.

        row(chip("v5e"), "aot:t", dtype="bfloat16", size=(480, 854), objects=10, memory=8)

    Args:
        target: the chip, see `chip`.
        name: as for `shapes`.
        dtype: likewise.
        size: as for `frame`.
        objects: likewise.
        memory: likewise.
        top_k: as for `shapes`.
        chunk: number of frames that the offline engine encodes at once; None, as `batch`, compiles
            the frame of a tracker.
        batch: number of videos that the offline engine runs side by side.
        largest: number of fusions or loops to list.

    Returns:
        dict: model, target, dtype, size, objects, memory, top_k, chunk, batch; operations,
        products, bytes, main (those to and from the main memory), unbounded (loops of unknown
        length, which count once), temporary_bytes, state_bytes, frames_per_second and bound of the
        roofline, compile_seconds; largest, a list of dicts with scope, kind, times, bytes, main and
        products. With a batch, operations and bytes are those of one frame of one video, and
        temporaries, state and the largest those of all.
    """
    model, params = shapes(name, dtype, top_k)
    asked = {
        "model": name,
        "target": target.kind,
        "dtype": dtype,
        "size": list(size),
        "objects": objects,
        "memory": memory,
        "top_k": top_k,
        "chunk": chunk,
        "batch": batch,
    }
    if chunk is not None or batch is not None:
        chunk, batch = chunk or 1, batch or 1
        offline = offline_frame(
            target,
            model,
            params,
            size=size,
            objects=objects,
            memory=memory,
            chunk=chunk,
            batch=batch,
        )
        return asked | {
            "chunk": chunk,
            "batch": batch,
            "operations": offline.operations,
            "products": offline.products,
            "bytes": offline.bytes,
            "main": offline.main,
            "unbounded": offline.unbounded,
            "temporary_bytes": offline.temporaries,
            "state_bytes": offline.state,
            "frames_per_second": 1 / offline.seconds,
            "bound": offline.bound,
            "compile_seconds": offline.compiling,
            "largest": _largest(offline.rows, largest),
        }
    program, arguments = frame(model, params, size, objects, memory)
    device = compiler.devices(target)[0]
    measured = compiler.measured(program, *compiler.on(device, arguments))
    counted = measured.traffic
    bounds = roofline.bounds(target.chip, products=counted.products, moved=counted.main)
    return asked | {
        "operations": counted.operations,
        "products": counted.products,
        "bytes": counted.bytes,
        "main": counted.main,
        "unbounded": counted.unbounded,
        "temporary_bytes": measured.temporaries,
        "state_bytes": sum(
            math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(arguments[1])
        ),
        "frames_per_second": 1 / bounds.seconds,
        "bound": bounds.bound,
        "compile_seconds": measured.seconds,
        "largest": _largest(counted.rows, largest),
    }


def _largest(rows: list[traffic.Row], count: int) -> list[dict]:
    return [
        {
            "scope": one.scope,
            "kind": "loop" if one.opcode == "while" else one.opcode,
            "times": one.times,
            "bytes": one.bytes,
            "main": one.main,
            "products": one.products,
        }
        for one in traffic.largest(rows, count)
    ]


def lines(table: list[dict]) -> list[str]:
    """Formats rows as a table, and below it the largest fusions and loops of each.

    print(*lines([facts]), sep="\\n")
    """
    cells = [HEADS] + [
        (
            facts["model"],
            "{}x{}".format(*facts["size"]),
            str(facts["objects"]),
            str(facts["memory"]),
            "own" if facts["top_k"] is None else str(facts["top_k"] or "all"),
            str(facts["chunk"] or "-"),
            str(facts["batch"] or "-"),
            f"{facts['operations'] / 1e9:.1f}",
            f"{facts['bytes'] / 1e9:.2f}",
            f"{facts['main'] / 1e9:.2f}",
            f"{facts['temporary_bytes'] / 1e6:.0f}",
            f"{facts['state_bytes'] / 1e6:.1f}",
            f"{facts['frames_per_second']:.0f}",
            facts["bound"],
            f"{facts['compile_seconds']:.0f}",
        )
        for facts in table
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells]
    for facts in table:
        title = f"{facts['model']}, {facts['objects']} objects, memory {facts['memory']}"
        if facts["batch"]:
            title += f", {facts['batch']} videos and {facts['chunk']} frames at once"
        if facts["unbounded"]:
            title += f"; {facts['unbounded']} loops of unknown length count once"
        text += ["", f"{title}: the most bytes"]
        text += [
            f"  {one['bytes'] / 1e6:9.1f} MB ({one['main'] / 1e6:.1f} in memory), "
            f"{one['products'] / 1e9:.2f} Gop, {one['kind']} x{one['times']}: {one['scope']}"
            for one in facts["largest"]
        ]
    return text
