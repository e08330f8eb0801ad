"""Key-point voting as a `Fusion`: matched key points say how right each network is.

A key point of an earlier frame, whose label is final, is matched with one of the current frame. A
network is right there if its mask puts the point into the same object, and it is weighted by how
often it is right. With few matches all networks get similar weights. arXiv 2206.09585 describes the
idea without formulas; those here are our own.
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

BACK = (1, 3, 6, 10)  # distances of the earlier frames that are matched with the current one
FADE = 0.9  # factor on the trust in a frame per frame of distance; annotated frames keep theirs
DOUBT = 15  # number of matches at which a vote has half its weight
SHARP = 8.0  # factor on the networks' qualities in the softmax
SMOOTH = 3  # frames over which weights are averaged
THREADS = 8  # least threads of XLA's CPU pool, as a step calls OpenCV
GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue


class VotingState(NamedTuple):
    """What voting remembers.

    bank    points and their labels, int32 [MOST] (-1: none), of annotated and of recent frames
    boxes   [N, 4] int32, boxes (x, y, w, h) of the objects in the last frame
    recent  [SMOOTH - 1, M, N], weights of the M networks in the last frames
    """

    bank: memory.Bank
    boxes: jax.Array
    recent: jax.Array


def spare_threads() -> None:
    """Makes XLA's CPU thread pool large enough for callbacks to the host.

        spare_threads()      # before anything is computed

    A callback blocks one thread until another one has copied its arguments (jax-ml/jax#24255): with
    one processor, or as many callbacks at a time as processors, this would deadlock. The pool
    starts with the first array; this function has no effect afterwards, or if NPROC is set.
    """
    os.environ.setdefault("NPROC", str(max(THREADS, os.cpu_count() or 1)))


@functools.lru_cache  # equal fusions are one object, so that programs are not compiled twice
def keypoint_fusion(method: str = "sift") -> Fusion:
    """Returns the fusion by key-point voting; OpenCV is called from within the compiled step.

        vos = ensemble([first, second, third], fusion=keypoint_fusion())

    The current frame is matched with the annotated frames and with those 1, 3, 6 and 10 frames ago.
    Nothing is remembered before the first annotation. The Spec's `capacity` limits the number of
    annotated frames. On CPUs, call this function before anything is computed, see `spare_threads`.

    Args:
        method: kind of key points, 'sift' or 'orb'.
    """
    spare_threads()
    width = keypoints.METHODS[method].width
    places: Any = jax.ShapeDtypeStruct((MOST, 2), np.float32)
    descriptors: Any = jax.ShapeDtypeStruct((MOST, width), np.uint8)
    shapes = Points(places, descriptors)

    def init(spec: Spec, members: int) -> VotingState:
        entry = shapes, jax.ShapeDtypeStruct((MOST,), np.int32)
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
        result_shapes = (
            shapes,
            jax.ShapeDtypeStruct((MOST, objects + 1), np.float32),
            jax.ShapeDtypeStruct((objects + 1,), np.int32),
        )
        points, votes, counts = jax.pure_callback(
            functools.partial(_on_host, method, objects),
            result_shapes,
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
        """Removes the labels of points on objects that are no longer followed."""
        bank = memory.unpin(state.bank, release.annotated)
        points, labels = bank.data
        known = jnp.concatenate([jnp.ones(1, bool), release.followed])  # the background first
        bank = bank._replace(data=(points, jnp.where(known[labels.clip(0)], labels, -1)))
        members = state.recent.shape[1]
        return VotingState(
            bank,
            jnp.where(release.followed[:, None], state.boxes, 0),
            jnp.where(release.followed, state.recent, 1 / members),
        )

    return Fusion(init, encode, fuse, commit, forget)


def _on_host(
    method: str,
    objects: int,
    grey: jax.Array,
    hints: jax.Array,
    references: Points,
    labels: jax.Array,
    trust: jax.Array,
) -> tuple[Points, np.ndarray, np.ndarray]:
    """Returns the current frame's points, their votes, and the number of matches of each label."""
    references = Points(*(np.asarray(part) for part in references))
    points = keypoints.detect(np.asarray(grey), np.asarray(hints), method=method)
    return points, *keypoints.match(
        points, references, np.asarray(labels), np.asarray(trust), objects=objects, method=method
    )


def trusts(bank: memory.Bank) -> jax.Array:
    """Returns how far the next frame trusts the frames of a bank: [R] in 0..1, 0 for those unused.

    trust = trusts(state.bank)
    """
    ago = jnp.max(jnp.where(bank.valid, bank.time, -1)) + 1 - bank.time
    fading = jnp.where(jnp.isin(ago, jnp.array(BACK)), FADE ** ago.astype(jnp.float32), 0)
    return jnp.where(bank.valid, jnp.where(bank.pinned, 1.0, fading), 0.0)


def _pixels(places: jax.Array, size: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    x, y = jnp.round(places).astype(jnp.int32).T
    return x.clip(0, size[1] - 1), y.clip(0, size[0] - 1)


def carried(places: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns the labels of points in a frame.

        labels = carried(points.places, labels)      # [K, 2], [H, W] -> int32 [K]

    Points whose eight neighbours do not all have the same label get -1, and so do spare points.
    """
    x, y = _pixels(places, labels.shape)
    padded = jnp.pad(labels, 1, mode="edge")
    around = jnp.stack([padded[y + i, x + j] for i in range(3) for j in range(3)])
    here = labels[y, x]
    return jnp.where((around == here).all(0) & (places[:, 0] >= 0), here, -1)


def boxes(labels: jax.Array, objects: int) -> jax.Array:
    """Returns the boxes of the objects in labels; those of absent objects are zeros.

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


def qualities(votes: jax.Array, predicted: jax.Array) -> jax.Array:
    """Measures how well the masks of networks agree with the votes.

        quality = qualities(votes, probs[:, :, y, x].argmax(1))

    Args:
        votes: [K, N+1], the votes for each label at every point, see `keypoints.match`.
        predicted: int [M, K], the labels that the networks predict at these points.

    Returns:
        [M, N] in 0..1, a smoothed Dice coefficient. (Recall alone would reward masks that leak.)
    """
    inside = jax.nn.one_hot(predicted, votes.shape[1])
    table = jnp.einsum("jv,mjs->mvs", votes, inside, precision="highest")  # voted, predicted
    true = jnp.diagonal(table, axis1=1, axis2=2)
    wrong, missed = table.sum(1) - true, votes.sum(0) - true
    return ((2 * true + 1) / (2 * true + wrong + missed + 2))[:, 1:]


def weigh(quality: jax.Array, counts: jax.Array) -> jax.Array:
    """Returns the weights of networks from their qualities and the number of matches per object.

        weights = weigh(quality, counts)      # [M, N], [N] -> [M, N]

    The weights of each object add up to one, and are equal if there is no match.
    """
    sure = counts / (counts + DOUBT)
    return (1 - sure) / len(quality) + sure * jax.nn.softmax(SHARP * quality, 0)


def weighted(probs: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns the weighted mean of networks' probabilities; the background's is not weighted.

    fused = weighted(probs, weights)      # [M, N+1, H, W], [M, N] -> [N+1, H, W]
    """
    objects = (weights[:, :, None, None] * probs[:, 1:]).sum(0)
    fused = jnp.concatenate([probs[:, 0].mean(0)[None], objects])
    return fused / fused.sum(0)
