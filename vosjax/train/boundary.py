"""Trains a refinement network (BPR) on patches along boundaries: batches, loss, step, validation.

The loss is that of the reference: the mean cross-entropy of two classes over all pixels of the
patch at the side of the network's input, 255 ignored, without weights by the boundary.
"""

import functools
import math
import pathlib
import re
from collections.abc import Generator
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax

from vosjax.data import jitter
from vosjax.datasets.decode import IGNORE
from vosjax.errors import InputError
from vosjax.layers.precision import cast
from vosjax.refine.boundary.crops import network_input
from vosjax.refine.boundary.network import RefineNetwork
from vosjax.train import answers, build, device, pace, patches, state, step
from vosjax.train.config import PatchesConfig
from vosjax.train.patches import Patches
from vosjax.train.schedule import StepScalars
from vosjax.train.task import Task

COLOURS = jitter.Strength(0.25, 0.5, 0.5, 0.05, jitter=0.5)
VALIDATED = 512  # most patches of a validation
TOGETHER = 64  # patches that validation refines at a time
SHOWN = 6  # patches in a picture
COLUMNS = (
    "step",
    "loss",
    "j",
    "coarse_j",
    "gradient",
    "rate",
    "patches_per_second",
    "validation_j",
    "validation_coarse_j",
    "distance",
    *pace.COLUMNS,
)


class Metrics(NamedTuple):
    """The metrics of a step.

    loss        the mean cross-entropy
    j           mean IoU of the refined masks with the truth, 0..1
    coarse_j    that of the coarse masks
    gradient    global norm of the gradient
    prediction  [B, S, S] uint8, the refined masks; None when they are no longer needed
    """

    loss: jax.Array
    j: jax.Array
    coarse_j: jax.Array
    gradient: jax.Array
    prediction: Any


def task(config: Any) -> Task:
    """Returns the training of a refinement network.

        from vosjax.config import opened
        task(opened("train_boundary", ["--config.patches.root=PATCHES"]))

    Args:
        config: a stage's `Config` with patches.

    Raises:
        InputError: the config's network is none that refines, its sets cannot be read, or a batch
            cannot be distributed evenly over the devices.
    """
    train, settings, network = config.train, config.patches, build.network(config)
    if not isinstance(network, RefineNetwork):
        raise InputError(
            f"the family {config.family!r} cannot be trained on patches: 'bpr' is expected, as in "
            "configs/train_boundary.py"
        )
    build.divides(train)
    build.undivided(train)
    weighted, held_out = sets(settings)
    apply = jax.jit(network.apply)

    return Task(
        network=network,
        batches=lambda start_step: batches(
            weighted,
            settings,
            seed=train.seed,
            batch=train.batch,
            side=network.patch,
            start_step=start_step,
            host=jax.process_index(),
            hosts=jax.process_count(),
        ),
        advance=functools.partial(build.compiled_step, train_step, network, train),
        pixels=lambda batch: math.prod(batch.truth.shape[1:]),
        validated=lambda params: validate(network, held_out, apply, device.on_one_device(params)),
        picture=lambda batch, metrics: (
            batch.images[:SHOWN],
            batch.truth[:SHOWN],
            metrics.prediction[:SHOWN],
        ),
        unit="patches",
        columns=COLUMNS,
    )


def sets(settings: PatchesConfig) -> tuple[list[tuple[float, Patches]], Patches | None]:
    """Reads the sets of patches of a config into memory.

        weighted, held_out = sets(PatchesConfig(sets=(dict(folder="patches/davis"),)))

    Returns:
        Pairs (weight, patches) of the training, and the patches of the videos of
        `settings.held_out`, or None if there are none.

    Raises:
        InputError: the config names no set, or one cannot be read.
    """
    if not settings.sets:
        raise InputError("the config names no patches: give config.patches.sets")
    weighted, held_out = [], []
    for chosen in settings.sets:
        folder = pathlib.Path(settings.root) / chosen.folder
        videos = patches.names(folder, chosen.only)
        kept = [v for v in videos if settings.held_out and re.search(settings.held_out, v)]
        trained = [video for video in videos if video not in kept]
        if kept:
            held_out.append(patches.read(folder, kept))
        if trained:
            read = patches.read(folder, trained)
            count = len(read.images)
            weighted.append((count if chosen.weight is None else chosen.weight, read))
    if not sum(weight for weight, _ in weighted):
        raise InputError(
            "no patches are left to train on: config.patches.held_out keeps all videos, or every "
            "weight is 0"
        )
    if not held_out:
        return weighted, None
    joined = Patches(*(np.concatenate(arrays) for arrays in zip(*held_out)))
    count = len(joined.images)
    rows = np.linspace(0, count - 1, min(count, VALIDATED)).astype(int)
    return weighted, Patches(*(array[rows] for array in joined))


def batches(
    weighted: list[tuple[float, Patches]],
    settings: PatchesConfig,
    *,
    seed: int,
    batch: int,
    side: int,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
) -> Generator[Patches]:
    """Yields the batches of the steps start_step, start_step + 1, ... without end.

        next(batches([(1.0, patches)], PatchesConfig(), seed=0, batch=32, side=96))

    The batch of a step depends on the seed and the step alone. A set is drawn by its weight, and a
    patch of it uniformly, with replacement.

    Args:
        weighted: pairs (weight, patches).
        settings: how patches are changed.
        seed: seed of all random numbers.
        batch: number of patches of a step; this host gets B = batch / hosts of them, the rows
            host * B to (host + 1) * B.
        side: side S to which they are resized.
        start_step: the first step.
        host: number of this host, from 0.
        hosts: number of hosts.
    """
    shares = np.array([weight for weight, _ in weighted])
    while True:
        rng = np.random.default_rng([seed, start_step])
        chosen = rng.choice(len(weighted), batch, p=shares / shares.sum())
        samples = []
        for number, index in enumerate(chosen.tolist()):
            drawn_from = weighted[index][1]
            row, change = int(rng.integers(len(drawn_from.images))), drawn(rng, settings)
            if number * hosts // batch == host:  # what others make is only drawn
                one = Patches(*(array[row] for array in drawn_from))
                samples.append(resized(changed(one, change), side))
        yield Patches(*(np.stack(arrays) for arrays in zip(*samples)))
        start_step += 1


class Change(NamedTuple):
    """How a patch is changed: whether it is mirrored, and its colours (None leaves them)."""

    mirrored: bool
    colours: jitter.Drawn | None


def drawn(rng: np.random.Generator, settings: PatchesConfig) -> Change:
    """Draws the change of a patch.

    drawn(np.random.default_rng(0), PatchesConfig())
    """
    mirrored = bool(rng.random() < settings.flip)
    return Change(mirrored, jitter.draw(rng, COLOURS) if settings.colour else None)


def changed(one: Patches, change: Change) -> Patches:
    """Mirrors a patch and changes its colours.

    changed(one, drawn(np.random.default_rng(0), PatchesConfig()))
    """
    images, coarse, truth = one
    if change.mirrored:
        images, coarse, truth = images[:, ::-1], coarse[:, ::-1], truth[:, ::-1]
    if change.colours is not None:
        images = jitter.apply(np.ascontiguousarray(images), change.colours)
    return Patches(images, coarse, truth)


def resized(one: Patches, side: int) -> Patches:
    """Resizes a patch, the image bilinearly and both masks to the nearest, as the reference does.

    resized(one, 96).images.shape      # (96, 96, 3)
    """
    size = (side, side)
    images, *masks = (np.ascontiguousarray(array) for array in one)
    return Patches(
        cv2.resize(images, size, interpolation=cv2.INTER_LINEAR),
        *(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) for mask in masks),
    )


def cross_entropy(logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Returns the mean cross-entropy over the pixels that count.

    Args:
        logits: [B, S, S, 2] float32.
        truth: [B, S, S] uint8, 0 and 1; 255 is ignored.
    """
    margin = logits[..., 1] - logits[..., 0]
    counted = truth != IGNORE
    losses = jax.nn.softplus(jnp.where(truth == 1, -margin, margin))
    return jnp.sum(losses * counted) / jnp.maximum(jnp.sum(counted), 1)


def train_step(
    network: RefineNetwork,
    chain: optax.GradientTransformation,
    before: state.TrainState,
    batch: Patches,
    scalars: StepScalars,
    rng: jax.Array,
    *,
    dtype: str = "float32",
) -> tuple[state.TrainState, Metrics]:
    """Performs one update of the weights, and of the averages of the norms' statistics.

        after, metrics = train_step(network, chain, before, batch, scalars, rng)

    Args:
        network: the network.
        chain: its optimizer, see `optimizer.build`.
        before: the state before the step.
        batch: patches at the side of the network's input.
        scalars: the scalars of the step.
        rng: the key of the training, which nothing draws from.
        dtype: dtype in which the network computes; weights, the norms' statistics, the loss and
            the optimizer's state are float32.
    """
    groups = {path: network.param_group(path) for path in before.trainable}
    images, masks = network_input(batch.images, batch.coarse == 1, network.patch)

    def loss(trainable: Any) -> Any:
        params = cast(state.join_params(trainable, before.frozen), dtype)
        with jax.named_scope("predict"):
            logits, statistics = network.train_apply(
                params, images.astype(dtype), masks.astype(dtype)
            )
        with jax.named_scope("loss"):
            return cross_entropy(logits, batch.truth), (logits, statistics)

    (total, (logits, statistics)), grads = jax.value_and_grad(loss, has_aux=True)(before.trainable)
    after = step.updated(before, grads, chain, scalars, groups=groups, held={})
    refined = logits[..., 1] > logits[..., 0]
    return after._replace(frozen=before.frozen | statistics), Metrics(
        total,
        jnp.mean(answers.ious(refined, batch.truth)),
        jnp.mean(answers.ious(batch.coarse == 1, batch.truth)),
        optax.tree.norm(grads),
        refined.astype(jnp.uint8),
    )


def validate(
    network: RefineNetwork, held_out: Patches | None, apply: Any, params: Any
) -> dict[str, float]:
    """Returns the mean IoU of refined and of coarse masks over the patches that are kept for it.

        validate(network, held_out, jax.jit(network.apply), params)

    Args:
        network: the network.
        held_out: the patches, or None, which gives no figure.
        apply: the network's `apply`, compiled.
        params: its weights, nested.
    """
    if held_out is None:
        return {}
    total, scores = len(held_out.images), []
    for start in range(0, total, TOGETHER):
        rows = np.arange(start, start + TOGETHER)
        padded = np.minimum(rows, total - 1).tolist()  # one shape for all batches
        samples = [
            resized(Patches(*(array[row] for array in held_out)), network.patch) for row in padded
        ]
        batch = Patches(*(np.stack(arrays) for arrays in zip(*samples)))
        logits = apply(params, *network_input(batch.images, batch.coarse == 1, network.patch))
        own = answers.ious(logits[..., 1] > logits[..., 0], batch.truth)
        given = answers.ious(batch.coarse == 1, batch.truth)
        scores.append(np.stack([own, given])[:, rows < total])
    refined, coarse = np.concatenate(scores, 1).mean(1).tolist()
    return {"validation_j": refined, "validation_coarse_j": coarse}
