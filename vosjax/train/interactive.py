"""Trains an interactive network: the user's corrections are simulated on its own mistakes.

A step encodes its pictures once by the frozen trunk. Then the head answers twice without gradient;
after each answer a click is put into its largest mistake, and its mask becomes the mask so far. A
third of the samples stays at the first clues, a third goes one round, a third goes two; the loss
is that of the answer to what a sample has by then (iterative training, arXiv 2102.06583). The loss
is half cross-entropy and half soft Jaccard.
"""

import functools
import math
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from vosjax.data import pipeline
from vosjax.data.sets import as_datasets
from vosjax.errors import InputError
from vosjax.interactive import clues as clue
from vosjax.interactive.network import InteractiveNetwork, network_input
from vosjax.interactive.window import MARGIN, mask_box
from vosjax.layers.precision import cast
from vosjax.train import answers, build, device, pace, state, step
from vosjax.train.config import MarksConfig
from vosjax.train.marked import Marked, MarkSpec
from vosjax.train.schedule import StepScalars
from vosjax.train.task import Task

ROUNDS = 2  # most corrections in training
TOGETHER = 16  # samples that validation takes at a time
CLICKS = (1, 3)  # clicks after which validation measures J
SHOWN = 6
COLUMNS = (
    "step",
    "loss",
    "j",
    "gradient",
    "rate",
    "pictures_per_second",
    "validation_j",
    "validation_box_j",
    "validation_click1_j",
    "validation_click3_j",
    "distance",
    *pace.COLUMNS,
)


class Marks(NamedTuple):
    """A batch of samples, see `marked.py`.

    images  [B, S, S, 3] uint8 RGB
    truth   [B, S, S] uint8, 0 and 1; 255 is ignored
    clues   [B, S, S, 4] float32
    """

    images: Any
    truth: Any
    clues: Any


class Metrics(NamedTuple):
    """The metrics of a step.

    loss        what is minimised
    j           mean IoU of the answers with the truth, 0..1
    gradient    global norm of the gradient
    prediction  [B, S, S] uint8, the answers; None when they are no longer needed
    """

    loss: jax.Array
    j: jax.Array
    gradient: jax.Array
    prediction: Any


def task(config: Any) -> Task:
    """Returns the training of an interactive network.

        from vosjax.config import opened
        task(opened("train_interactive", ["--config.marks.root=DATA"]))

    Args:
        config: a stage's `Config` with marks.

    Raises:
        InputError: the config's network is none that takes clicks, its sets cannot be read, or a
            batch cannot be distributed evenly over the devices.
    """
    train, settings, network = config.train, config.marks, build.network(config)
    if not isinstance(network, InteractiveNetwork):
        raise InputError(
            f"the family {config.family!r} cannot be trained on marks: 'interactive' is expected, "
            "as in configs/train_interactive.py"
        )
    build.divides(train)
    build.undivided(train)
    weighted = sources(settings)
    validated = validation(network, settings)

    return Task(
        network=network,
        batches=lambda start_step: batches(
            weighted,
            MarkSpec(network.side, settings.colour),
            seed=train.seed,
            batch=train.batch,
            start_step=start_step,
            host=jax.process_index(),
            hosts=jax.process_count(),
            workers=train.workers,
            threads=train.threads,
        ),
        advance=functools.partial(build.compiled_step, train_step, network, train),
        pixels=lambda batch: math.prod(batch.truth.shape[1:]),
        validated=lambda params: validated(device.on_one_device(params)),
        picture=lambda batch, metrics: (
            batch.images[:SHOWN],
            batch.truth[:SHOWN],
            metrics.prediction[:SHOWN],
        ),
        unit="pictures",
        columns=COLUMNS,
    )


def sources(settings: MarksConfig) -> list[tuple[float, Marked]]:
    """Opens the sets that are trained on, as pairs (weight, source).

        sources(MarksConfig(sets=(dict(folder="stills"),)))

    Raises:
        InputError: the config names no set, or one cannot be opened.
    """
    weighted = []
    for dataset in as_datasets(settings.sets):
        source = Marked(dataset, settings.root)
        count = len(source) * dataset.repeat
        weighted.append((count if dataset.weight is None else dataset.weight, source))
    if not sum(weight for weight, _ in weighted):
        raise InputError("no set weighs anything: give config.marks.sets, with positive weights")
    return weighted


def batches(
    weighted: list[tuple[float, Marked]],
    spec: MarkSpec,
    *,
    seed: int,
    batch: int,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
    workers: int = 0,
    threads: int = 0,
) -> Generator[Marks]:
    """Yields the batches of the steps start_step, start_step + 1, ... without end.

        next(batches(sources(settings), MarkSpec(257), seed=0, batch=16)).images.shape

    The batch of a step depends on the seed and the step alone.

    Args:
        weighted: pairs (weight, source).
        spec: how samples are made.
        seed: seed of all random numbers.
        batch: number of samples of a step; this host gets B = batch / hosts of them.
        start_step: the first step.
        host: number of this host, from 0.
        hosts: number of hosts.
        workers: processes that make samples; 0 makes them in this one.
        threads: threads of each process that make samples ahead of time.
    """
    made = pipeline.mixed(
        weighted,
        spec,
        seed=seed,
        batch=batch,
        start_step=start_step,
        host=host,
        hosts=hosts,
        workers=workers,
        threads=threads,
    )
    try:
        for arrays in made:
            yield Marks(arrays["images"], arrays["truth"], arrays["clues"])
    finally:
        made.close()


def train_step(
    network: InteractiveNetwork,
    chain: optax.GradientTransformation,
    before: state.TrainState,
    batch: Marks,
    scalars: StepScalars,
    rng: jax.Array,
    *,
    dtype: str = "float32",
) -> tuple[state.TrainState, Metrics]:
    """Performs one update of the weights.

        after, metrics = train_step(network, chain, before, batch, scalars, rng)

    Args:
        network: the network.
        chain: its optimizer, see `optimizer.build`.
        before: the state before the step.
        batch: samples at the side of the network.
        scalars: the scalars of the step.
        rng: the key of the training, which draws how many rounds a sample goes.
        dtype: dtype in which the network computes; weights, clues, the loss and the optimizer's
            state are float32.
    """
    groups = {path: network.param_group(path) for path in before.trainable}
    params = cast(state.join_params(before.trainable, before.frozen), dtype)
    with jax.named_scope("encode"):
        images = network_input(batch.images).astype(dtype)
        features = jax.lax.stop_gradient(network.encode(params, images))
    rounds = jax.random.randint(
        jax.random.fold_in(rng, before.step), (len(batch.images),), 0, ROUNDS + 1
    )
    clues = batch.clues
    for number in range(ROUNDS):
        with jax.named_scope("correct"):
            answer = network.segment(params, features, clues.astype(dtype))
            more = answers.corrected(clues, answer, batch.truth)
        clues = jnp.where((rounds > number)[:, None, None, None], more, clues)
    clues = jax.lax.stop_gradient(clues)

    def loss(trainable: Any) -> Any:
        params = cast(state.join_params(trainable, before.frozen), dtype)
        with jax.named_scope("predict"):
            logits = network.segment(params, features, clues.astype(dtype))
        with jax.named_scope("loss"):
            return jnp.mean(answers.losses(logits, batch.truth)), logits

    (total, logits), grads = jax.value_and_grad(loss, has_aux=True)(before.trainable)
    after = step.updated(before, grads, chain, scalars, groups=groups, held={})
    final = logits > 0
    return after, Metrics(
        total,
        jnp.mean(answers.ious(final, batch.truth)),
        optax.tree.norm(grads),
        final.astype(jnp.uint8),
    )


def validation(
    network: InteractiveNetwork, settings: MarksConfig
) -> Callable[[Any], dict[str, float]]:
    """Returns the validation, a function from nested params to {figure: mean J in 0..1}.

        figures = validation(network, settings)(params)

    It asks for a number of fixed objects of `settings.validation`, each once by its true box, and
    once by clicks alone: the first in the middle of the object, the others in the middle of the
    largest mistake. `validation_j` is the mean of all. Without such sets there are no figures.
    """
    samples: list[Marks] = []

    @jax.jit
    def scores(params: Any, images: Any, truth: Any, box: Any) -> Any:
        features = network.encode(params, network_input(images))
        by_box = answers.ious(network.segment(params, features, box) > 0, truth)
        clues, logits = jnp.zeros_like(box), jnp.full(truth.shape, -10.0)
        by_clicks = []
        for _ in range(max(CLICKS)):
            clues = answers.corrected(clues, logits, truth)
            logits = network.segment(params, features, clues)
            by_clicks.append(answers.ious(logits > 0, truth))
        return jnp.stack([by_box, *(by_clicks[number - 1] for number in CLICKS)])

    def validated(params: Any) -> dict[str, float]:
        if not settings.validation:
            return {}
        if not samples:
            samples.extend(_fixed(settings, network.side))
        parts = [scores(params, batch.images, batch.truth, batch.clues) for batch in samples]
        box, *clicks = np.mean(np.concatenate(parts, 1), 1).tolist()
        names = [f"validation_click{number}_j" for number in CLICKS]
        return {
            "validation_j": float(np.mean([box, *clicks])),  # by which the best are kept
            "validation_box_j": box,
            **dict(zip(names, clicks)),
        }

    return validated


def _fixed(settings: MarksConfig, side: int) -> list[Marks]:
    """Returns fixed samples with the object's own box, in batches of one size."""
    spec = MarkSpec(side, colour=False, whole=0.0, loose=(MARGIN, MARGIN), shift=0.0)
    opened = [Marked(dataset, settings.root) for dataset in as_datasets(settings.validation)]
    made = []
    for number in range(-(-settings.validated // TOGETHER) * TOGETHER):
        source = opened[number % len(opened)]
        rng = np.random.default_rng([1, number])
        drawn = source.clip(int(rng.integers(len(source))), rng, spec)
        drawn["clues"] = clue.clue_maps(side, box=mask_box(drawn["truth"] == 1))
        made.append(drawn)
    return [
        Marks(
            *(
                np.stack([drawn[name] for drawn in made[first : first + TOGETHER]])
                for name in Marks._fields
            )
        )
        for first in range(0, len(made), TOGETHER)
    ]
