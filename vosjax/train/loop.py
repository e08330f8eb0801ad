"""The training run: its stages, and in each the steps, figures, validation and checkpoints."""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from vosjax.io import lock
from vosjax.io.files import write_json
from vosjax.io.refusals import writing
from vosjax.runs.signals import stop_signals
from vosjax.schema import replaced
from vosjax.train import (
    boundary,
    build,
    checkpoint,
    checkpoint_folder,
    clip_task,
    decisive,
    disk,
    interactive,
    log,
    schedule,
    start,
    state,
)
from vosjax.train.config import TrainConfig
from vosjax.train.device import shardings, to_device
from vosjax.train.task import Task

STOPPING = "stopping: saving a checkpoint after this step"


class TrainResult(NamedTuple):
    """The end of a run: the last state, whether all steps are done, and the last stage's folder."""

    state: state.TrainState
    complete: bool
    folder: pathlib.Path


def train(config: Any, *, output: str | os.PathLike[str]) -> TrainResult:
    """Runs all stages of a config, or resumes them where an earlier run in `output` ended.

    A stage that was interrupted continues from its last checkpoint. A complete stage is not run
    again; its averaged weights are the initial weights of the next one.

    Args:
        config: a `Config` with a training.
        output: the run's folder; if there are several stages, each writes to a folder in it.

    Raises:
        InputError: the config does not fit the data, the weights or an earlier run in `output`; or
            that folder cannot be written, holds other files, or is in use by another process.
        NotFinite: the loss or a weight is no longer finite.
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
    """Returns the stages of a config as pairs (folder name, `Config` with the stage's changes).

        from vosjax.config import opened
        names = [name for name, _ in stages(opened("train_default"))]

    A config without stages is a single stage in the run's own folder, ''.
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
                data=config.data and replaced(config.data, stage.data),
            ),
        )
        for number, stage in enumerate(config.stages)
    ]


def run_stage(config: Any, folder: pathlib.Path, *, params: dict | None = None) -> TrainResult:
    """Runs one stage, or resumes it from its newest checkpoint.

    Args:
        config: the stage's `Config`.
        folder: folder for its checkpoints, figures and config.json.
        params: initial weights, a nested dict: those of the stage before; None takes what
            `config.train.init` names.

    Raises:
        InputError: as for `train`.
        NotFinite: the loss or a weight is no longer finite.
    """
    train = config.train
    task = task_of(config)
    chain = build.chain_of(task.network, train)
    if params is None:
        params = start.params(task.network, seed=train.seed, init=train.init, scale=train.scale)
    plain = decisive.described(config)
    with checkpoint_folder.managed(folder / disk.CHECKPOINTS, keep=train.log.keep) as checkpoints:
        now = state.fresh(params, task.network.param_group, chain)
        now = checkpoint.restore(checkpoints, now, plain, repair=True) or now
        with writing(folder):
            write_json(folder / disk.CONFIG, plain)
        return _remaining(config, folder, task, chain, checkpoints, now)


def task_of(config: Any) -> Task:
    """Returns what a stage's `Config` trains: a network that tracks, refines patches, or marks.

        from vosjax.config import opened
        network = task_of(opened("train_rendered")).network

    Raises:
        InputError: the config does not fit the network or its data.
    """
    if config.patches is not None:
        return boundary.task(config)
    return clip_task.task(config) if config.marks is None else interactive.task(config)


def _remaining(
    config: Any,
    folder: pathlib.Path,
    task: Task,
    chain: Any,
    checkpoints: Any,
    now: state.TrainState,
) -> TrainResult:
    """Runs the remaining steps of a stage from the state `now`, with its log and checkpoints."""
    train, plain = config.train, decisive.described(config)
    everywhere, split = shardings()
    now, at = jax.device_put(now, everywhere), int(now.step)
    batches = to_device(task.batches(at), split)
    figures = log.Log(folder, start=at, columns=task.columns)
    pending: list[Any] = []
    started = time.monotonic()

    def save(*, wait: bool = False) -> None:
        to_host(pending, at)
        checkpoint.save(checkpoints, now, plain, wait=wait)

    with (
        contextlib.closing(batches),
        contextlib.closing(figures),
        stop_signals(STOPPING) as stop,
    ):
        for done in steps(train, task, chain, now, batches, stop):
            now, at = done.state, done.at
            pending.append(done.metrics._replace(prediction=None))
            values = {}
            if due(at, train.log.every, train.steps):
                metrics = to_host(pending, at)
                pending.clear()
                seconds, started = time.monotonic() - started, time.monotonic()
                speed = len(metrics) * train.batch / seconds
                values = means(metrics) | {
                    "rate": float(done.rate),
                    f"{task.unit}_per_second": speed,
                }
            if due(at, train.log.validate, train.steps):
                jax.block_until_ready(now)
                before = time.monotonic()
                values |= task.validated(state.averaged(now))
                started += time.monotonic() - before  # validation does not count as training time
            if values:
                figures.scalars(at, values)
            if due(at, train.log.pictures, train.steps):
                figures.pictures(at, *map(np.asarray, task.picture(done.batch, done.metrics)))
            if due(at, train.log.checkpoint, train.steps):
                save()
        save(wait=True)
    return TrainResult(now, at >= train.steps, folder)


class StepResult(NamedTuple):
    """The result of a step.

    at       number of steps done, including this one
    state    the state after the step
    batch    its batch
    metrics  its metrics
    rate     its learning rate for the head
    """

    at: int
    state: state.TrainState
    batch: Any
    metrics: Any
    rate: np.float32


def steps(
    train: TrainConfig,
    task: Task,
    chain: optax.GradientTransformation,
    now: state.TrainState,
    batches: Any,
    stop: Sequence,
) -> Iterator[StepResult]:
    """Yields a `StepResult` after each of the remaining steps.

    Args:
        train: the training's settings.
        task: what is trained.
        chain: the optimizer, see `build.chain_of`.
        now: the state to continue from; it is donated, so it must not be used afterwards.
        batches: iterator of batches on the devices, one for each step.
        stop: a signal to end: no step is begun once it holds an item (`runs.signals.stop_signals`).
    """
    advance = task.advance(chain)
    key = jax.random.key(train.seed)
    for at in range(int(now.step), train.steps):
        if stop:
            return
        batch = next(batches)
        scalars = schedule.step_scalars(at, train, pixels=task.pixels(batch))
        now, metrics = advance(now, batch, scalars, key)
        yield StepResult(at + 1, now, batch, metrics, scalars.rate)


def to_host(pending: list[Any], at: int) -> list[Any]:
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


def means(metrics: list[Any]) -> dict[str, float]:
    """Returns the mean of each figure over some steps, {name of a field of the metrics: mean}."""
    return {
        name: float(np.mean([getattr(m, name) for m in metrics]))
        for name in metrics[0]._fields
        if name != "prediction"
    }


def due(at: int, every: int, last: int) -> bool:
    """Whether an action is due after step `at`: every `every` steps (0: never) and at the end.

    due(20, every=10, last=95)      # True
    """
    return bool(every) and (at % every == 0 or at == last)
