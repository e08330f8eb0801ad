"""The training of a network that tracks: its clips, its compiled step and its validation."""

import contextlib
import functools
from collections.abc import Callable, Generator
from typing import Any

import jax
import optax

from vosjax.data import pipeline
from vosjax.data.synthetic import rendered
from vosjax.train import build, device, log, nonfinite, step, validate
from vosjax.train.task import Advance, Task
from vosjax.train.validate_set import SetValidation
from vosjax.types import Model


def task(config: Any) -> Task:
    """Returns the training of a network that tracks, on clips.

        from vosjax.config import opened
        task(opened("train_rendered"))

    Args:
        config: a stage's `Config` with clips.

    Raises:
        InputError: the config does not fit the network.
    """
    train, model = config.train, build.configured(config)
    settings = build.step_settings(train)

    def batches(start_step: int) -> Generator[step.Clips]:
        made = pipeline.clips(
            config.data,
            seed=train.seed,
            start_step=start_step,
            batch=train.batch,
            host=jax.process_index(),
            hosts=jax.process_count(),
            workers=train.workers,
            threads=train.threads,
        )
        return _as_clips(made)

    def advance(chain: optax.GradientTransformation, lies: Any) -> Advance:
        compiled = {
            reference: compile_step(
                model, chain, settings._replace(reference=reference), shardings=lies
            )
            for reference in (True, False)
        }

        def advanced(now: Any, clips: Any, scalars: Any, key: Any) -> Any:
            return compiled[bool(scalars.aux_weight)](now, clips, scalars, key)

        return advanced

    return Task(
        network=model,
        batches=batches,
        advance=advance,
        pixels=lambda clips: step.pixels(clips, settings.loss_stride),
        validated=validation(model, config),
        picture=lambda clips, metrics: (clips.frames[0], clips.labels[0], metrics.prediction[0]),
        unit="clips",
        columns=log.COLUMNS,
    )


def _as_clips(batches: Generator[Any]) -> Generator[step.Clips]:
    with contextlib.closing(batches):
        for batch in batches:
            yield step.Clips(batch["frames"], batch["labels"], batch["live"])


def compile_step(
    model: Model,
    chain: optax.GradientTransformation,
    settings: step.StepConfig,
    *,
    shardings: Any = None,
) -> Any:
    """Compiles `step.train_step` on its first call.

        advance = compile_step(model, chain, settings, shardings=device.of_state(like, over))

    The compiler divides the work among devices as the arguments lie on them, and places what they
    exchange: sums of gradients, and parts of weights that are distributed.

    Args:
        model: the network.
        chain: its optimizer.
        settings: the settings of the training.
        shardings: how the new state lies on the devices, see `device.of_state`; None leaves it to
            the compiler.

    Returns:
        A function (state, clips, scalars, key) -> (state, metrics) that donates the state.
    """
    run = nonfinite.without_nonfinite(
        functools.partial(step.train_step, model, chain, settings), settings.skip_nonfinite
    )
    return jax.jit(run, donate_argnums=0, out_shardings=(shardings, None))


def validation(model: Model, config: Any) -> Callable[[Any], dict[str, float]]:
    """Returns the validation of a training, a function from nested params to {figure: value}.

        from vosjax.config import opened
        config = opened("train_rendered")
        validated = validation(build.configured(config), config)
        validated(params)       # {"validation_j": 0.71}

    With `train.log.data` these are J and F of that dataset; the network remembers frames as its
    card will say. Otherwise it is the mean J of `train.log.clips` fixed clips of the training's
    frame size, which are rendered on the first call.

    Raises:
        InputError: the dataset cannot be used.
    """
    settings, data = config.train.log, config.data
    if settings.data:
        whole_set = SetValidation(model, settings, mem_every=config.train.card_mem_every)
        return lambda params: whole_set(device.on_one_device(params))
    run = validate.compiled(model, mem_every=config.train.mem_every)
    clips: list[Any] = []

    def of_clips(params: Any) -> dict[str, float]:
        if not clips:
            clips.extend(
                rendered.validation_clips(
                    settings.clips,
                    size=(data.height, data.width),
                    frames=settings.frames,
                    max_objects=data.max_objects,
                )
            )
        single = device.on_one_device(params)  # as all would repeat the same
        return {"validation_j": validate.mean_j(run, single, clips)}

    return of_clips
