"""Key-point voting: points matched between frames carry labels, and weigh an ensemble's networks.

A point of an earlier frame, whose label is decided, is matched with one of the present frame; a
network whose mask puts that point into the same object is right there. Few matches tell little:
then all networks weigh the same (arXiv 2206.09585 names the idea and gives no formula).
"""

import functools
import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax import memory
from vosjax.compose.combinators import Fusion
from vosjax.types import Release, Spec, When
from vosjax.voting import keypoints
from vosjax.voting.keypoints import MOST, Points

BACK = (1, 3, 6, 10)  # frames before the present one that are matched with it
FADE = 0.9  # trust in a frame, for every frame that it is away; annotated ones keep theirs
DOUBT = 15  # matches at which a vote has half its weight
SHARP = 8.0  # of the softmax over the networks' qualities
SMOOTH = 3  # frames over which weights are averaged
THREADS = 8  # of XLA's CPU pool at least, where OpenCV is called from inside of a step
GREY = (0.299, 0.587, 0.114)  # of red, green and blue


class VotingState(NamedTuple):
    """What voting remembers.

    bank    of points and their labels int32 [MOST] (-1 none): annotated frames and the last ones
    boxes   [N, 4] int32, (x, y, w, h) of the objects in the last frame
    recent  [SMOOTH - 1, M, N] weights of the M networks in the last frames
    """

    bank: memory.Bank
    boxes: jax.Array
    recent: jax.Array


def spare_threads() -> None:
    """Sees to it that XLA's CPU pool, which starts with the first array, has threads to spare.

        spare_threads()      # before anything is computed

    A step's call to the host waits in one thread until another one has copied its arguments
    (jax-ml/jax#24255): with one processor, or as many calls at once as processors, all would wait
    for ever. This has no effect once a pool runs, and leaves a value of NPROC that is set.
    """
    os.environ.setdefault("NPROC", str(max(THREADS, os.cpu_count() or 1)))


@functools.lru_cache  # so that programs that use it are the same
def keypoint_fusion(method: str = "sift") -> Fusion:
    """Fuses networks by key-point voting; OpenCV is called from inside of the compiled step.

        vos = ensemble([first, second, third], fusion=keypoint_fusion())

    It looks back to the annotated frames and to those of 1, 3, 6 and 10 frames ago. As long as
    nothing is annotated it remembers nothing. The Spec's `capacity` is room for annotated frames.
    On a CPU, call it before anything is computed, see `spare_threads`.

    Args:
      method: 'sift' or 'orb'.
    """
    spare_threads()
    width = keypoints.METHODS[method].width
    places: Any = jax.ShapeDtypeStruct((MOST, 2), np.float32)
    descriptors: Any = jax.ShapeDtypeStruct((MOST, width), np.uint8)
    forms = Points(places, descriptors)

    def init(spec: Spec, members: int) -> VotingState:
        entry = forms, jax.ShapeDtypeStruct((MOST,), np.int32)
        weights = jnp.full((SMOOTH - 1, members, spec.objects), 1 / members, jnp.float32)
        return VotingState(
            memory.init(entry, spec.capacity + max(BACK)),
            jnp.zeros((spec.objects, 4), jnp.int32),
            weights,
        )

    def encode(frame: jax.Array) -> jax.Array:
        grey = (frame * jnp.array(GREY)).sum(-1)
        return jnp.round(255 * grey).clip(0, 255).astype(jnp.uint8)

    def fuse(state: VotingState, grey: jax.Array, probs: jax.Array) -> Any:
        objects = probs.shape[1] - 1
        references, labels = state.bank.data
        answer = (
            forms,
            jax.ShapeDtypeStruct((MOST, objects + 1), np.float32),
            jax.ShapeDtypeStruct((objects + 1,), np.int32),
        )
        ask = functools.partial(_ask, method, objects)
        points, votes, counts = jax.pure_callback(
            ask,
            answer,
            grey,
            state.boxes,
            references,
            labels,
            trusts(state.bank),
            vmap_method="sequential",
        )
        x, y = _pixels(points.places, grey.shape)
        weights = weigh(qualities(votes, probs[:, :, y, x].argmax(1)), counts[1:])
        smooth = jnp.concatenate([state.recent, weights[None]]).mean(0)
        return weighted(probs, smooth), (points, weights)

    def commit(
        state: VotingState, aux: Any, probs: jax.Array, given: jax.Array, when: When
    ) -> VotingState:
        points, weights = aux
        labels = probs.argmax(0).astype(jnp.int32)
        holds = state.bank.valid.any() | given.any()
        bank = memory.write(
            state.bank,
            (points, carried(points.places, labels)),
            time=when.time,
            when=holds,
            pin=when.annotated,
        )
        recent = jnp.concatenate([state.recent[1:], weights[None]])
        return VotingState(bank, boxes(labels, len(given)), jnp.where(holds, recent, state.recent))

    def forget(state: VotingState, release: Release) -> VotingState:
        """Points of objects that are followed no more carry no label."""
        bank = memory.unpin(state.bank, release.annotated)
        points, labels = bank.data
        known = jnp.concatenate([jnp.ones(1, bool), release.followed])  # the background is
        bank = bank._replace(data=(points, jnp.where(known[labels.clip(0)], labels, -1)))
        members = state.recent.shape[1]
        return VotingState(
            bank,
            jnp.where(release.followed[:, None], state.boxes, 0),
            jnp.where(release.followed, state.recent, 1 / members),
        )

    return Fusion(init, encode, fuse, commit, forget)


def _ask(
    method: str,
    objects: int,
    grey: jax.Array,
    hints: jax.Array,
    references: Points,
    labels: jax.Array,
    trust: jax.Array,
) -> tuple[Points, np.ndarray, np.ndarray]:
    """The host's part: points of the present frame, their votes, and matches for each label."""
    references = Points(*(np.asarray(part) for part in references))
    points = keypoints.detect(np.asarray(grey), np.asarray(hints), method=method)
    return points, *keypoints.match(
        points, references, np.asarray(labels), np.asarray(trust), objects=objects, method=method
    )


def trusts(bank: memory.Bank) -> jax.Array:
    """How far the next frame trusts those of a bank: [R] in 0..1, 0 in those that are not asked.

    trust = trusts(state.bank)
    """
    ago = jnp.max(jnp.where(bank.valid, bank.time, -1)) + 1 - bank.time
    fading = jnp.where(jnp.isin(ago, jnp.array(BACK)), FADE ** ago.astype(jnp.float32), 0)
    return jnp.where(bank.valid, jnp.where(bank.pinned, 1.0, fading), 0.0)


def _pixels(places: jax.Array, size: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    x, y = jnp.round(places).astype(jnp.int32).T
    return x.clip(0, size[1] - 1), y.clip(0, size[0] - 1)


def carried(places: jax.Array, labels: jax.Array) -> jax.Array:
    """Labels that points carry, given those of their frame.

        labels = carried(points.places, labels)      # [K, 2], [H, W] -> int32 [K]

    -1 of points that lie less than two pixels inside of their region, and of spare points.
    """
    x, y = _pixels(places, labels.shape)
    padded = jnp.pad(labels, 1, mode="edge")
    around = jnp.stack([padded[y + i, x + j] for i in range(3) for j in range(3)])
    here = labels[y, x]
    return jnp.where((around == here).all(0) & (places[:, 0] >= 0), here, -1)


def boxes(labels: jax.Array, objects: int) -> jax.Array:
    """Boxes of the objects in labels; zeros of absent ones.

    hints = boxes(labels, objects=3)      # [H, W] -> int32 [3, 4], (x, y, w, h)
    """
    inside = labels == jnp.arange(1, objects + 1)[:, None, None]
    spans = []
    for axis in (1, 2):  # columns, rows
        hit = inside.any(axis)
        first = hit.argmax(1)
        spans.append(
            (first, jnp.where(hit.any(1), hit.shape[1] - hit[:, ::-1].argmax(1) - first, 0))
        )
    (x, w), (y, h) = spans
    return jnp.stack([x, y, w, h], 1).astype(jnp.int32)


def qualities(votes: jax.Array, said: jax.Array) -> jax.Array:
    """How well networks' masks agree with the votes.

        quality = qualities(votes, probs[:, :, y, x].argmax(1))

    Args:
      votes: [K, N+1] for each label at every point, of `keypoints.match`.
      said: int [M, K], the networks' own labels there.

    Returns:
      [M, N] in 0..1, a smoothed Dice coefficient of the votes inside (recall alone would reward
      masks that leak).
    """
    inside = jax.nn.one_hot(said, votes.shape[1])
    table = jnp.einsum("jv,mjs->mvs", votes, inside, precision="highest")  # voted, said
    true = jnp.diagonal(table, axis1=1, axis2=2)
    wrong, missed = table.sum(1) - true, votes.sum(0) - true
    return ((2 * true + 1) / (2 * true + wrong + missed + 2))[:, 1:]


def weigh(quality: jax.Array, counts: jax.Array) -> jax.Array:
    """Weights of networks, given their quality and the number of matches of each object.

        weights = weigh(quality, counts)      # [M, N], [N] -> [M, N]

    They sum to one for each object, and are equal where nothing matched.
    """
    sure = counts / (counts + DOUBT)
    return (1 - sure) / len(quality) + sure * jax.nn.softmax(SHARP * quality, 0)


def weighted(probs: jax.Array, weights: jax.Array) -> jax.Array:
    """The weighted mean of networks' probabilities; that of the background is not weighted.

    fused = weighted(probs, weights)      # [M, N+1, H, W], [M, N] -> [N+1, H, W]
    """
    objects = (weights[:, :, None, None] * probs[:, 1:]).sum(0)
    fused = jnp.concatenate([probs[:, 0].mean(0)[None], objects])
    return fused / fused.sum(0)
