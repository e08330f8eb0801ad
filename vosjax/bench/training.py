"""Measures whether the input pipeline keeps up with the training step; the two alternate."""

import contextlib
import statistics
import time
from typing import Any

import jax

from vosjax.bench import clips as clips_bench
from vosjax.data import pipeline
from vosjax.errors import InputError
from vosjax.train import build, clip_task, device, loop, schedule, start, state, step


def measure(config: Any, *, rounds: int) -> dict:
    """Measures the first stage of a training config; returns plain data.

        figures = measure(opened("train_rendered"), rounds=3)

    Args:
        config: a `Config` with a training; weights are random, whatever `train.init` is.
        rounds: number of rounds, in each of which input, plain decoding and step are measured.

    Returns:
        dict: size, frames, batch, workers, threads; and lists with an item for each round: `made`,
        clips per second of the input; `used`, clips per second of the step; `fed`, made / used;
        `decoded`, frames of the input per frame of plain single-thread decoding (empty if there are
        no stored frames); `core_ms`, milliseconds of processor time per clip.

    Raises:
        InputError: the config does not fit the data or the network.
    """
    (_, config), *_ = loop.stages(config)
    train, clips = config.train, config.data
    if clips is None:
        raise InputError(
            "this training is on patches, which are read into memory once: its input is not "
            "measured; take a training on clips, such as configs/train_rendered.py"
        )
    advance = _step(config)
    figures: dict[str, list[float]] = {
        name: [] for name in ("made", "used", "fed", "decoded", "core_ms")
    }
    for turn in range(rounds):
        made = clips_bench.measure(
            clips,
            batch=train.batch,
            workers=train.workers,
            threads=train.threads,
            rounds=1,
            seed=turn,
        )
        used = train.batch / advance()
        figures["made"].append(made["clips_per_second"])
        figures["used"].append(used)
        figures["fed"].append(made["clips_per_second"] / used)
        figures["core_ms"].append(made["core_ms_per_clip"])
        if made["ratio"] is not None:
            figures["decoded"].append(made["ratio"])
    return dict(
        size=[clips.height, clips.width],
        frames=clips.frames,
        batch=train.batch,
        workers=train.workers,
        threads=train.threads,
        **figures,
    )


def lines(figures: dict) -> list[str]:
    """Formats the result of `measure` as a table: median and range of each figure.

    print(*lines(figures), sep="\n")
    """
    rows = (
        ("made", "clips/s of the input"),
        ("used", "clips/s of the training step"),
        ("fed", "input / step"),
        ("decoded", "frames of clips / plainly decoded frames"),
        ("core_ms", "processor ms a clip"),
    )
    head = "{}x{}, {frames} frames, batch {batch}, {workers} workers, {threads} threads".format(
        *figures["size"], **figures
    )
    return [head] + [
        f"{statistics.median(values):10.2f}  ({min(values):.2f}-{max(values):.2f})  {text}"
        for name, text in rows
        if (values := figures[name])
    ]


def _step(config: Any) -> Any:
    """Returns a function that runs one compiled training step and returns its time in seconds."""
    train = config.train
    model = build.configured(config)
    chain = build.chain_of(model, train)
    fresh = start.params(model, seed=train.seed, init="")
    over = device.shardings(train.sharded)
    now = state.fresh(fresh, model.param_group, chain)
    lies = device.of_state(now, over)
    current = [jax.device_put(now, lies)]
    stream = pipeline.clips(config.data, seed=train.seed, batch=train.batch)
    with contextlib.closing(stream):
        batch = next(stream)
    clips = jax.device_put(step.Clips(batch["frames"], batch["labels"], batch["live"]), over.split)
    settings = build.step_settings(train)._replace(reference=False)
    scalars = schedule.step_scalars(
        train.steps - 1, train, pixels=step.pixels(clips, settings.loss_stride)
    )
    compiled = clip_task.compile_step(model, chain, settings, shardings=lies)
    key = jax.random.key(train.seed)

    def advance() -> Any:
        begin = time.perf_counter()
        current[0], metrics = compiled(current[0], clips, scalars, key)
        jax.block_until_ready(metrics.loss)
        return time.perf_counter() - begin

    advance()
    return advance
