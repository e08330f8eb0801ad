"""The training run: its stages, and in each the steps, figures, validation and checkpoints."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import jax
import optax

from vosjax.data.config import timed
from vosjax.io import lock
from vosjax.io.files import write_json
from vosjax.io.refusals import writing
from vosjax.runs.profile import Profile
from vosjax.runs.signals import stop_signals, unless_stopped
from vosjax.schema import replaced
from vosjax.train import (
    beforehand,
    boundary,
    build,
    checkpoint,
    checkpoint_folder,
    clip_task,
    decisive,
    device,
    disk,
    interactive,
    kept,
    log,
    nonfinite,
    offending,
    pace,
    processes,
    schedule,
    start,
    state,
)
from vosjax.train.config import TrainConfig
from vosjax.train.task import Task
from vosjax.train.utilisation import Utilisation

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

    The processes of a cluster (`runs.cluster.join`) call it together and train together; the first
    of them writes.

    Args:
        config: a `Config` with a training.
        output: the run's folder; if there are several stages, each writes to a folder in it.

    Raises:
        InputError: the config does not fit the data, the weights or an earlier run in `output`; or
            that folder cannot be written, holds other files, or is in use by another process.
        NotFinite: the loss or a weight is no longer finite.
    """
    output = pathlib.Path(output)
    parts = stages(config)
    params = None
    with contextlib.ExitStack() as held:
        processes.first_does(lambda: disk.check_ours(output, [name for name, _ in parts]))
        beforehand.check(config, parts, output)
        processes.first_does(
            lambda: held.enter_context(lock.locked(output / lock.NAME, what=output))
        )
        for name, part in parts:
            result = run_stage(part, output / name, params=params)
            if not result.complete:
                break
            params = device.whole(state.averaged(result.state))
    return result


def stages(config: Any) -> list:
    """Returns the stages of a config as pairs (folder name, `Config` with the stage's changes).

        from vosjax.config import opened
        names = [name for name, _ in stages(opened("train_default"))]

    A config without stages is a single stage in the run's own folder, ''. Phases of the clips that
    begin after a share of the steps begin at a step here.
    """
    if not config.stages:
        return [("", _timed(config))]
    return [
        (
            stage.name or f"stage{number}",
            _timed(
                dataclasses.replace(
                    config,
                    stages=(),
                    train=replaced(config.train, stage.train),
                    data=config.data and replaced(config.data, stage.data),
                )
            ),
        )
        for number, stage in enumerate(config.stages)
    ]


def _timed(config: Any) -> Any:
    """Returns a stage's config whose phases begin at steps, see `data.config.timed`."""
    if config.data is None or config.train is None:
        return config
    data = timed(config.data, config.train.steps)
    return config if data == config.data else dataclasses.replace(config, data=data)


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
        root = config.data.root if config.data is not None else ""
        params = start.params(
            task.network, seed=train.seed, init=train.init, scale=train.scale, root=root
        )
    plain = decisive.described(config)
    processes.check_same(
        hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest(),
        "the processes of this training have different configs: start all with the same command",
    )
    with checkpoint_folder.managed(
        folder / disk.CHECKPOINTS, keep=train.log.keep, keep_best=train.log.keep_best
    ) as checkpoints:
        now = state.fresh(params, task.network.param_group, chain)
        now = checkpoint.restore(checkpoints, now, plain, repair=True) or now
        processes.first_does(functools.partial(_describe, folder, plain))
        if int(now.step) >= train.steps:
            lies = device.of_state(now, device.shardings(train.sharded))
            return TrainResult(device.placed(now, lies), True, folder)
        return _remaining(config, folder, task, chain, checkpoints, now)


def _describe(folder: pathlib.Path, plain: dict[str, Any]) -> None:
    with writing(folder):
        write_json(folder / disk.CONFIG, plain)


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
    saved = folder / disk.CHECKPOINTS
    over, at = device.shardings(train.sharded), int(now.step)
    now = device.placed(now, device.of_state(now, over))
    batches = device.to_device(task.batches(at), over.split)
    skips = (nonfinite.SKIPPED,) if train.skip_nonfinite else ()
    figures = (
        processes.first_does(
            lambda: log.Log(folder, start=at, columns=task.columns + skips, steps=train.steps)
        )
        or processes.Silent()
    )
    window = nonfinite.Window(
        start=at,
        allowed=train.skip_nonfinite,
        in_a_row=nonfinite.before(kept.figures(saved, at)),
    )
    by_step = kept.scores(saved, checkpoint_folder.steps(saved))
    values: dict[str, float] = {}
    speed = pace.Pace(
        batch=train.batch,
        unit=task.unit,
        utilisation=Utilisation(
            lambda: task.advance(chain, device.of_state(now, over)), peak=train.log.peak
        ),
        key=jax.random.key(train.seed),
    )
    profile = Profile(folder, train.profile, what="step")

    def save(*, wait: bool = False) -> None:
        window.fetch()  # raises if the state is of no use
        beside: dict[str, float] = {nonfinite.IN_A_ROW: window.in_a_row}
        if kept.is_score(values.get(kept.SCORE)):
            by_step[at] = beside[kept.SCORE] = values[kept.SCORE]
        checkpoint.save(checkpoints, now, plain, figures=beside, wait=wait)

    def validated() -> dict[str, float]:
        work = functools.partial(task.validated, state.averaged(now))
        if jax.process_count() > 1:  # they validate together, so none of them may leave
            return work()
        return unless_stopped(stop, work) or {}

    with (
        offending.saving_batch(folder, task, train.seed),
        contextlib.closing(batches),
        contextlib.closing(figures),
        stop_signals(STOPPING) as stop,
        contextlib.closing(
            profile.over(
                steps(
                    train,
                    task,
                    chain,
                    now,
                    speed.timed(batches),
                    processes.stopping(stop, over),
                ),
                start=at + 1,
                end=train.steps + 1,
            )
        ) as made,
    ):
        for done in made:
            now, at = done.state, done.at
            speed.step_done(done)
            window.add(done.metrics._replace(prediction=None))
            values = {}
            if due(at, train.log.every, train.steps):
                metrics = window.fetch()
                window.clear()
                values = nonfinite.means(metrics)
                values |= {"rate": float(done.scalars.rate)} | speed.figures()
                values["distance"] = float(pace.distance(now.trainable, now.average))
                if train.skip_nonfinite:
                    values[nonfinite.SKIPPED] = nonfinite.skipped(metrics)
            if due(at, train.log.validate, train.steps):
                jax.block_until_ready(now)
                with speed.paused():
                    values |= validated()
            if values:
                figures.scalars(at, values)
            if due(at, train.log.pictures, train.steps):
                figures.pictures(at, *device.whole(task.picture(done.batch, done.metrics)))
            if due(at, train.log.checkpoint, train.steps) or kept.is_among_best(
                values.get(kept.SCORE), by_step, train.log.keep_best
            ):
                save()
        save(wait=True)
    return TrainResult(now, at >= train.steps, folder)


class StepResult(NamedTuple):
    """The result of a step.

    at       number of steps done, including this one
    state    the state after the step
    batch    its batch
    metrics  its metrics
    scalars  its `StepScalars`
    """

    at: int
    state: state.TrainState
    batch: Any
    metrics: Any
    scalars: schedule.StepScalars


def steps(
    train: TrainConfig,
    task: Task,
    chain: optax.GradientTransformation,
    now: state.TrainState,
    batches: Any,
    stopped: Callable[[], bool],
) -> Generator[StepResult]:
    """Yields a `StepResult` after each of the remaining steps.

    Args:
        train: the training's settings.
        task: what is trained.
        chain: the optimizer, see `build.chain_of`.
        now: the state to continue from; it is donated, so it must not be used afterwards.
        batches: iterator of batches on the devices, one for each step.
        stopped: whether to end before the next step (`processes.stopping`).
    """
    advance = task.advance(chain, jax.tree.map(lambda array: array.sharding, now))
    key = jax.random.key(train.seed)
    for at in range(int(now.step), train.steps):
        if stopped():
            return
        batch = next(batches)
        scalars = schedule.step_scalars(at, train, pixels=task.pixels(batch))
        now, metrics = advance(now, batch, scalars, key)
        yield StepResult(at + 1, now, batch, metrics, scalars)


def due(at: int, every: int, last: int) -> bool:
    """Whether an action is due after step `at`: every `every` steps (0: never) and at the end.

    due(20, every=10, last=95)      # True
    """
    return bool(every) and (at % every == 0 or at == last)
