"""Plans a training for a machine that is not there: the memory, speed and cost of every stage.

The very step of a training is compiled for that machine. TPUs have a compiler that needs no TPU.
For GPUs, as many CPU devices stand in: the program is divided in the same way, its operations are
counted in its jaxpr, and its temporaries and bytes are those of the CPU's program.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vosjax import cost
from vosjax.ahead import compiler, roofline
from vosjax.ahead.compiler import DoesNotFit, Measured
from vosjax.ahead.targets import Target
from vosjax.errors import InputError
from vosjax.interactive.clues import CHANNELS
from vosjax.interactive.network import InteractiveNetwork
from vosjax.refine.boundary.network import RefineNetwork
from vosjax.train import boundary, build, clip_task, device, interactive, loop, schedule, step
from vosjax.train.interactive import Marks
from vosjax.train.patches import Patches

DAY = 24 * 3600  # seconds
LESS = (
    "take more devices, train.remat=True, train.accumulate, train.dtype=bfloat16, or smaller "
    "data.height and data.width"
)


def planned(config: Any, target: Target, *, utilisation: float) -> list[dict]:
    """Plans all stages of a training; returns plain data, ready to be printed and stored.

        planned(opened("train_rendered"), targets.parsed("v5e:2x2"), utilisation=0.4)

    Args:
        config: a `Config` with a training.
        target: the machine.
        utilisation: share of the roofline's speed that is counted on.

    Returns:
        A dict for each stage, as `planned_stage` returns it.

    Raises:
        InputError: the config does not fit its network or the number of devices; a stage does not
            fit the memory of a device; or there is no compiler for the machine.
    """
    devices = compiler.devices(target)
    return [
        planned_stage(name, part, target, devices, utilisation=utilisation)
        for name, part in loop.stages(config)
    ]


def planned_stage(
    name: str, config: Any, target: Target, devices: list[Any], *, utilisation: float
) -> dict:
    """Plans one stage of a training.

    Args:
        name: its name, '' for the only one.
        config: the stage's `Config`.
        target: the machine.
        devices: its devices, of `ahead.compiler.devices`.
        utilisation: share of the roofline's speed that is counted on.

    Returns:
        dict: stage, target, devices, compiler, batch, steps, compile_seconds; for each device
        weights, average, moments, other (batch, results and padding), temporaries, code (the
        program), memory (their sum) and available, in bytes; for a step on each device operations,
        products, paced (products, those that run at half of the stated speed twice), bytes and main
        (those to and from the main memory), collectives {kind: bytes}, unbounded (loops of unknown
        length, which count once); roofline {products, bytes, links: seconds}, bound,
        roofline_steps_per_second, utilisation, steps_per_second, days, device_hours;
        largest_batch, and compared_batch, the other batch that it was extrapolated from. Where no
        peak figures are stated, what follows from them is None.

    Raises:
        InputError: as for `planned`.
    """
    unit = target.devices * config.train.accumulate
    share, chip = config.train.batch // unit, target.chip

    def at(count: int) -> tuple[Measured, dict]:
        return _measured(config, devices, batch=count * unit)

    build.divides(config.train, target.devices)
    try:
        measured, parts = at(share)
        if chip.memory and measured.memory > chip.memory:
            raise DoesNotFit(f"it needs {gigabytes(measured.memory)}")
    except DoesNotFit as error:
        raise InputError(_too_large(name, config, target, str(error), at, share)) from error
    counts = _counts(config, devices, measured)
    facts = {
        "stage": name,
        "target": target.name,
        "devices": target.devices,
        "compiler": compiler.described(target),
        "batch": config.train.batch,
        "steps": config.train.steps,
        "compile_seconds": measured.seconds,
        **parts,
        "other": measured.memory - measured.temporaries - measured.code - sum(parts.values()),
        "temporaries": measured.temporaries,
        "code": measured.code,
        "memory": measured.memory,
        "available": chip.memory or None,
        **counts,
        "collectives": measured.traffic.collectives,
        "unbounded": measured.traffic.unbounded,
        "utilisation": utilisation,
    }
    largest, compared = None, None
    if chip.memory:
        largest, compared = fitting(
            lambda count: at(count)[0].memory, share, measured.memory, chip.memory
        )
    return facts | {
        **_speed(facts, target, config),
        "largest_batch": largest and largest * unit,
        "compared_batch": compared and compared * unit,
    }


def fitting(
    memory_at: Callable[[int], int], share: int, memory: int, available: float
) -> tuple[int, int]:
    """Returns the largest share of a batch that fits a device, from two sizes of programs.

        fitting(lambda share: 10 + 5 * share, 4, memory=30, available=100)      # (18, 2)

    Memory is taken to grow in proportion to the share, on top of what every share needs.

    Args:
        memory_at: share -> bytes that its program needs; raises DoesNotFit if it cannot be
            compiled.
        share: a share that fits.
        memory: bytes that its program needs.
        available: bytes of the device.

    Returns:
        The largest share, and the other share whose program was compiled.
    """
    other = share // 2 or 2
    try:
        beside = memory_at(other)
    except DoesNotFit:
        return share, other
    slope = (memory - beside) / (share - other)
    if slope <= 0:  # nothing in the program grows: it is too small to tell
        return max(share, other), other
    return max(share, math.floor((available - (memory - slope * share)) / slope)), other


def gigabytes(count: float) -> str:
    """Formats a number of bytes: gigabytes(2_100_000_000) is '2.1 GB'."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"


def _measured(config: Any, devices: list[Any], *, batch: int) -> tuple[Measured, dict]:
    """Compiles the step of a stage; returns its measures, and bytes of the state's parts."""
    program, arguments = _step(config, devices, batch=batch)
    now = arguments[0]
    parts = {
        "weights": _on_each((now.trainable, now.frozen)),
        "average": _on_each(now.average),
        "moments": _on_each(now.moments),
    }
    return compiler.measured(program, *arguments), parts


def _step(config: Any, devices: list[Any], *, batch: int) -> tuple[Any, tuple]:
    """Returns the step of a stage as a jitted function, and its arguments as shapes on devices."""
    train, network = config.train, build.network(config)
    everywhere, split = over = device.shardings(train.sharded, devices)
    chain = build.chain_of(network, train)
    shapes = build.state_shapes(network, chain)
    lies = device.of_state(shapes, over)
    samples: Any
    if isinstance(network, RefineNetwork | InteractiveNetwork):
        build.undivided(train)
    if isinstance(network, RefineNetwork):
        side = (batch, network.patch, network.patch)
        samples = Patches(*(_shape(one, np.uint8) for one in ((*side, 3), side, side)))
        pixels = network.patch**2
        program = build.compiled_step(boundary.train_step, network, train, chain, lies)
    elif isinstance(network, InteractiveNetwork):
        side = (batch, network.side, network.side)
        samples = Marks(
            _shape((*side, 3), np.uint8),
            _shape(side, np.uint8),
            _shape((*side, CHANNELS), np.float32),
        )
        pixels = network.side**2
        program = build.compiled_step(interactive.train_step, network, train, chain, lies)
    else:
        build.fits(network, config, len(devices))
        data = config.data
        frames = (batch, data.frames, data.height, data.width)
        live = (batch, data.max_objects)
        kinds = (((*frames, 3), np.uint8), (frames, np.uint8), (live, np.bool_))
        samples = step.Clips(*(_shape(*kind) for kind in kinds))
        settings = build.step_settings(train)._replace(reference=train.aux > 0)
        pixels = step.pixels(samples, settings.loss_stride)
        program = clip_task.compile_step(network, chain, settings, shardings=lies)
    state = jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        shapes,
        lies,
    )
    scalars = schedule.step_scalars(0, train, pixels=pixels)
    key = jax.eval_shape(lambda: jax.random.key(train.seed))
    return program, (
        state,
        compiler.on(split, samples),
        *compiler.on(everywhere, (scalars, key)),
    )


def _shape(shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def _on_each(tree: Any) -> int:
    """Returns the bytes of a pytree of shapes on each device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * jnp.dtype(leaf.dtype).itemsize
        for leaf in jax.tree.leaves(tree)
    )


def _counts(config: Any, devices: list[Any], measured: Measured) -> dict:
    """Returns operations and bytes of a step on each device, and products as its speed counts."""
    traffic = measured.traffic
    if devices[0].platform != "cpu":
        return {
            "operations": traffic.operations,
            "products": traffic.products,
            "paced": traffic.products,
            "bytes": traffic.bytes,
            "main": traffic.main,
        }
    program, arguments = _step(config, devices, batch=config.train.batch)
    counted = cost.count(program, *arguments)
    products = {name: each / len(devices) for name, each in counted.products.items()}
    return {
        "operations": counted.flops / len(devices),
        "products": sum(products.values()),
        "paced": sum(each * (2 if name == "float32" else 1) for name, each in products.items()),
        "bytes": traffic.bytes,
        "main": traffic.main,
    }


def _speed(facts: dict, target: Target, config: Any) -> dict:
    """Returns what follows from the stated peak figures of a machine, or None for each."""
    names = (
        "roofline",
        "bound",
        "roofline_steps_per_second",
        "steps_per_second",
        "days",
        "device_hours",
    )
    if not target.chip.products:
        return dict.fromkeys(names)
    bounds = roofline.bounds(
        target.chip,
        products=facts["paced"],
        moved=facts["main"],
        collectives=facts["collectives"],
        devices=target.devices,
    )
    rate = facts["utilisation"] / bounds.seconds
    seconds = config.train.steps / rate
    return dict(
        zip(
            names,
            (
                bounds._asdict(),
                bounds.bound,
                1 / bounds.seconds,
                rate,
                seconds / DAY,
                seconds * target.devices / 3600,
            ),
        )
    )


def _too_large(
    name: str,
    config: Any,
    target: Target,
    needed: str,
    at: Callable[[int], tuple[Measured, dict]],
    share: int,
) -> str:
    """Returns the line on a stage that does not fit, with a batch that does if there is one."""
    stage = f"stage {name}: " if name else ""
    line = (
        f"{stage}a batch of {config.train.batch} does not fit {target.name}, whose devices have "
        f"{gigabytes(target.chip.memory)} each: {needed}"
    )
    if share > 1:
        try:
            fits = min(int(target.chip.memory // at(1)[0].memory), share - 1)
        except DoesNotFit:
            fits = 0
        if fits:
            return f"{line}; train.batch={fits * target.devices * config.train.accumulate} fits"
    return f"{line}; not even one sample a device does: {LESS}"
