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
from vosjax.io import lock
from vosjax.io.files import write_json
from vosjax.io.refusals import writing
from vosjax.runs.signals import stop_signals
from vosjax.schema import replaced
from vosjax.train import (
    build,
    checkpoint,
    checkpoint_folder,
    decisive,
    disk,
    log,
    schedule,
    start,
    state,
    step,
    validate,
)
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
    """Runs all stages of a config, or resumes them where an earlier run in `output` ended.

    The last checkpoint of the stage that is under way is taken up; a stage that is complete is not
    run again, and its averaged weights start the next one.

    Args:
      config: a `Config` with a training.
      output: the run's folder; a stage writes to a folder of its own in it when there are several.

    Raises:
      InputError: the config does not fit the data, the weights or an earlier run in `output`; or
        that folder cannot be written, holds files of someone else, or is written by another
        process.
      NotFinite: the loss, or a weight, stopped being a number.
    """
    output = pathlib.Path(output)
    disk.check_ours(output, [name for name, _ in stages(config)])
    params = None
    shared = jax.process_count() > 1  # the processes of a cluster write to one folder together
    with lock.locked(output / lock.NAME, what=output, shared=shared):
        for name, part in stages(config):
            result = run_stage(part, output / name, params=params)
            if not result.complete:
                break
            params = state.averaged(result.state)
    return result


def stages(config: Any) -> list:
    """The stages of a config: a list of pairs (folder name, `Config` with the stage's changes).

        from vosjax.config import opened
        names = [name for name, _ in stages(opened("train_default"))]

    A config without stages is one stage, in the run's own folder ('').
    """
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
    """Runs one stage, or resumes it from its newest checkpoint.

    Args:
      config: the stage's `Config`.
      folder: where its checkpoints, figures and config.json go.
      params: nested dict of the weights that it starts from, those of the stage before; None takes
        what `config.train.init` names.

    Raises:
      InputError: as `train`.
      NotFinite: the loss stopped being a number.
    """
    train = config.train
    model = build.configured(config)
    chain = build.chain_of(model, train)
    if params is None:
        params = start.params(model, seed=train.seed, init=train.init, scale=train.scale)
    plain = decisive.described(config)
    with checkpoint_folder.managed(folder / disk.CHECKPOINTS, keep=train.log.keep) as checkpoints:
        now = state.fresh(params, model.param_group, chain)
        now = checkpoint.restore(checkpoints, now, plain, repair=True) or now
        with writing(folder):
            write_json(folder / disk.CONFIG, plain)
        return _remaining(config, folder, model, chain, checkpoints, now)


def _remaining(
    config: Any,
    folder: pathlib.Path,
    model: Model,
    chain: Any,
    checkpoints: Any,
    now: state.TrainState,
) -> TrainResult:
    """The steps of a stage that are left after `now`, with all that is told and stored of them."""
    train, plain = config.train, decisive.described(config)
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
    """Two shardings over all devices: a whole copy on each, and the first axis shared out.

    The training's state takes the first, its batches the second.

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
    """Yields a `StepResult` after each of the steps that are left.

    Args:
      train: the training's settings.
      model: the network.
      chain: its optimizer, of `build.chain_of`.
      now: the state to go on from; it is donated, and must not be used afterwards.
      batches: iterator of batches on the devices, one for each step.
      stop: a list; the steps end as soon as it holds anything (`runs.signals.stop_signals`).
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
        pixels = step.pixels(clips, settings.loss_stride)
        scalars = schedule.step_scalars(at, train, pixels=pixels)
        now, metrics = advance[bool(scalars.aux_weight)](now, clips, scalars, key)
        yield StepResult(at + 1, now, clips, metrics, scalars.rate)


def to_host(pending: list[step.Metrics], at: int) -> list[step.Metrics]:
    """Fetches the metrics of the last steps from the devices.

    Args:
      pending: one entry for each step.
      at: the number of steps done by now.

    Raises:
      NotFinite: a loss or a gradient is not finite; the message names the steps.
    """
    metrics = jax.device_get(pending)
    log.check_finite(at - len(metrics), [m.loss for m in metrics], [m.gradient for m in metrics])
    return metrics


def means(metrics: list[step.Metrics]) -> dict[str, float]:
    """The mean of each figure over some steps, {name of a field of `Metrics`: mean}."""
    return {
        name: float(np.mean([getattr(m, name) for m in metrics]))
        for name in step.Metrics._fields
        if name != "prediction"
    }


def due(at: int, every: int, last: int) -> bool:
    """Whether something that happens every `every` steps (0: never) happens after step `at`.

    due(20, every=10, last=95)      # True
    """
    return bool(every) and (at % every == 0 or at == last)


def compile_step(
    model: Model, chain: optax.GradientTransformation, settings: step.StepConfig
) -> Any:
    """Compiles `step.train_step` on its first call.

    Returns:
      A function (state, clips, scalars, key) -> (state, metrics) that donates the state.
    """
    return jax.jit(functools.partial(step.train_step, model, chain, settings), donate_argnums=0)


def validation(model: Model, config: Any) -> Callable[[Any], float]:
    """Makes the validation of a training, a function of the nested params.

        from vosjax.config import opened
        config = opened("train_rendered")
        mean_j = validation(build.configured(config), config)

    It gives the mean J (0..1) over `train.log.clips` rendered clips of the training's frame size,
    always the same ones, which are rendered when it is first called.
    """
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
