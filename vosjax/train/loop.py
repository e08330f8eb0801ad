"""The training run: steps over clips, figures, validation, checkpoints; stages one by one."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from vosjax.data import pipeline
from vosjax.data.synthetic import rendered
from vosjax.io.files import write_json
from vosjax.runs.signals import stop_signals
from vosjax.schema import replaced
from vosjax.train import build, checkpoint, log, schedule, start, state, step, validate
from vosjax.train.config import TrainConfig
from vosjax.train.device import to_device
from vosjax.types import Model

STOPPING = "stopping: saving a checkpoint after this step"


class TrainResult(NamedTuple):
    """How a run ended: the last state, whether all steps are done, and the last stage's folder."""

    state: state.TrainState
    complete: bool
    folder: pathlib.Path


def train(config: Any, *, output: str | os.PathLike[str]) -> TrainResult:
    """Runs (or resumes) all stages of a config.

    Args:
      config: a `Config` with a training.
      output: the run's folder; a stage writes to a folder of its own in it when there are several.

    Raises:
      InputError: the config does not fit the data, the weights or an earlier run in `output`.
      NotFinite: the loss stopped being a number.
    """
    output = pathlib.Path(output)
    params = None
    for name, part in stages(config):
        result = run_stage(part, output / name, params=params)
        if not result.complete:
            break
        params = state.averaged(result.state)
    return result


def stages(config: Any) -> list:
    """(folder name, `Config`) of every stage: the config with the stage's changes laid over it."""
    if not config.stages:
        return [("", config)]
    return [
        (
            stage.name or f"stage{number}",
            dataclasses.replace(
                config,
                stages=(),
                train=replaced(config.train, stage.train),
                data=replaced(config.data, stage.data),
            ),
        )
        for number, stage in enumerate(config.stages)
    ]


def run_stage(config: Any, folder: pathlib.Path, *, params: dict | None = None) -> TrainResult:
    """Runs or resumes one stage; `params` are those of the stage before."""
    train = config.train
    model = build.configured(config)
    chain = build.chain_of(model, train)
    if params is None:
        params = start.params(model, seed=train.seed, init=train.init, scale=train.scale)
    plain = checkpoint.described(config)
    checkpoints = checkpoint.manager(folder / "checkpoints", keep=train.log.keep)
    now = state.fresh(params, model.param_group, chain)
    now = checkpoint.restore(checkpoints, now, plain) or now
    write_json(folder / "config.json", plain)

    everywhere, split = shardings()
    now, at = jax.device_put(now, everywhere), int(now.step)
    batches = to_device(
        pipeline.clips(
            config.data,
            seed=train.seed,
            start_step=at,
            batch=train.batch,
            workers=train.workers,
            threads=train.threads,
        ),
        split,
    )
    figures = log.Log(folder, start=at)
    validated = validation(model, config)
    pending: list[step.Metrics] = []
    since = time.monotonic()

    def save(*, wait: bool = False) -> None:
        to_host(pending, at)
        checkpoint.save(checkpoints, now, plain, wait=wait)

    with (
        contextlib.closing(checkpoints),
        contextlib.closing(batches),
        contextlib.closing(figures),
        stop_signals(STOPPING) as stop,
    ):
        for done in steps(train, model, chain, now, batches, stop):
            now, at = done.state, done.at
            pending.append(done.metrics._replace(prediction=None))
            values = {}
            if due(at, train.log.every, train.steps):
                metrics = to_host(pending, at)
                pending.clear()
                passed, since = time.monotonic() - since, time.monotonic()
                values = means(metrics) | dict(
                    rate=float(done.rate), clips_per_second=len(metrics) * train.batch / passed
                )
            if due(at, train.log.validate, train.steps):
                jax.block_until_ready(now)
                before = time.monotonic()
                values["validation_j"] = validated(state.averaged(now))
                since += time.monotonic() - before  # no part of the training's speed
            if values:
                figures.scalars(at, values)
            if due(at, train.log.pictures, train.steps):
                figures.pictures(
                    at,
                    *(
                        np.asarray(x[0])
                        for x in (done.clips.frames, done.clips.labels, done.metrics.prediction)
                    ),
                )
            if due(at, train.log.checkpoint, train.steps):
                save()
        save(wait=True)
    return TrainResult(now, at >= train.steps, folder)


def shardings() -> tuple[NamedSharding, NamedSharding]:
    """How the state lies on the devices (whole on each), and how a batch does (shared out).

    everywhere, split = shardings()
    """
    mesh = jax.make_mesh((len(jax.devices()),), ("data",), axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))


class StepResult(NamedTuple):
    """What a step leaves: their number by then, the state after it, and what it was made of."""

    at: int
    state: state.TrainState
    clips: step.Clips
    metrics: step.Metrics
    rate: np.float32


def steps(
    train: TrainConfig,
    model: Model,
    chain: optax.GradientTransformation,
    now: state.TrainState,
    batches: Any,
    stop: Sequence,
) -> Iterator[StepResult]:
    """Takes the steps that are left, one batch each, until `stop` holds something.

    `now` is donated.
    """
    settings = build.step_settings(train)
    advance = {
        reference: compile_step(model, chain, settings._replace(reference=reference))
        for reference in (True, False)
    }
    key = jax.random.key(train.seed)
    for at in range(int(now.step), train.steps):
        if stop:
            return
        batch = next(batches)
        clips = step.Clips(batch["frames"], batch["labels"], batch["live"])
        knobs = schedule.step_scalars(at, train, pixels=step.pixels(clips, settings.loss_stride))
        now, metrics = advance[bool(knobs.aux_weight)](now, clips, knobs, key)
        yield StepResult(at + 1, now, clips, metrics, knobs.rate)


def to_host(pending: list[step.Metrics], at: int) -> list[step.Metrics]:
    """The last steps' metrics as numbers; raises NotFinite where a loss or gradient is none."""
    metrics = jax.device_get(pending)
    log.check_finite(at - len(metrics), [m.loss for m in metrics], [m.gradient for m in metrics])
    return metrics


def means(metrics: list[step.Metrics]) -> dict[str, float]:
    """The mean of every figure of some steps."""
    return {
        name: float(np.mean([getattr(m, name) for m in metrics]))
        for name in step.Metrics._fields
        if name != "prediction"
    }


def due(at: int, every: int, last: int) -> bool:
    """Whether something done every `every` steps (0: never) is done after step `at`.

    due(20, every=10, last=95)      # True
    """
    return bool(every) and (at % every == 0 or at == last)


def compile_step(
    model: Model, chain: optax.GradientTransformation, settings: step.StepConfig
) -> Any:
    """The jitted step (state, clips, knobs, key) -> (state, metrics); the state is donated."""
    return jax.jit(functools.partial(step.train_step, model, chain, settings), donate_argnums=0)


def validation(model: Model, config: Any) -> Callable[[Any], float]:
    """A function of params: mean J over a few fixed rendered clips of the training size."""
    settings, data = config.train.log, config.data
    run = validate.compiled(model, mem_every=config.train.mem_every)
    made: list[Any] = []

    def mean_j(params: Any) -> float:
        if not made:
            made.extend(
                rendered.validation_clips(
                    settings.clips,
                    size=(data.height, data.width),
                    frames=settings.frames,
                    max_objects=data.max_objects,
                )
            )
        one = jax.device_put(params, jax.devices()[0])  # copies on several would repeat the work
        return validate.mean_j(run, one, made)

    return mean_j
