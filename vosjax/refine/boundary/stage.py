"""Boundary refinement as a stage: every object's boundary, patch by patch, in one frame.

Boundary patch refinement (BPR), Tang et al., arXiv 2104.05239, decides binary masks. Here masks are
soft and objects meet, so that the network's answers are weighed against the coarse probabilities,
and all objects against each other (`paste.fused`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.layers.resize import resize
from vosjax.refine.boundary import crops
from vosjax.refine.boundary.boxes import PATCH
from vosjax.refine.boundary.crops import network_input
from vosjax.refine.boundary.network import RefineNetwork
from vosjax.refine.boundary.paste import fused, refusals, window
from vosjax.refine.boundary.traced_boxes import Patches, find_patches
from vosjax.types import Array, FrameStage

PLACES = 512  # patches of a frame for which there is room
COUNTED = (
    ("patches", "patches refined"),
    ("given_frames", "frames with given masks, left as they are"),
    ("small_frames", "frames smaller than a patch"),
    ("no_boundary", "masks without boundary"),
    ("whole_frames", "objects that fill the frame"),
    ("small_objects", "objects below boundary_min_area"),
    ("unsure_objects", "objects that the network is unsure of"),
    ("no_room", "patches beyond those that a frame has room for"),
    ("one_class", "patches refused as all inside or all outside"),
    ("other_mask", "patches refused as other masks"),
    ("far_changes", "patches refused for changes far from the boundary"),
)


class BoundarySettings(NamedTuple):
    """How boundaries are refined.

    threshold        of NMS, see `boxes.boundary_boxes`
    strength         share of the refined probabilities, see `paste.fused`
    min_area         smallest area, in pixels, of an object that is refined
    min_confidence   smallest mean probability in an object's mask, likewise
    guards           refuse patches that are no refinement, see `paste.refusals`
    taper            give a patch's border less weight, see `paste.window`
    reference_edges  leave the last row and column alone, as the reference does
    """

    threshold: float = 0.25
    strength: float = 0.7
    min_area: int = 400
    min_confidence: float = 0.7
    guards: bool = True
    taper: bool = True
    reference_edges: bool = False


def as_reference(threshold: float) -> BoundarySettings:
    """Returns the settings under which one object is refined as by the reference program.

    as_reference(0.55)
    """
    return BoundarySettings(threshold, 1, 1, 0, guards=False, taper=False, reference_edges=True)


class Fixed(NamedTuple):
    """What does not change while a frame is refined.

    frame    [H, W, 3] uint8
    probs    [N+1, H, W] float32
    labels   [H, W] int32, the slot of every pixel
    patches  where the patches are
    """

    frame: Array
    probs: jax.Array
    labels: jax.Array
    patches: Patches


class Work(NamedTuple):
    """What is made, batch by batch.

    left    [] int32, patches that have not been through the network yet
    sums    [2, N, H, W] float32, refined probabilities times weights, and weights
    counts  {name: int32}
    """

    left: jax.Array
    sums: jax.Array
    counts: dict[str, jax.Array]


class Batch(NamedTuple):
    """Patches that go through the network together, of one frame or of several.

    images  [B, P, P, 3] uint8
    masks   [B, P, P] bool, each of the object that the patch is for
    """

    images: jax.Array
    masks: jax.Array


def boundary_stage(
    network: RefineNetwork, settings: BoundarySettings, *, batch: int, places: int = PLACES
) -> FrameStage:
    """Makes the stage that refines boundaries.

        stage = boundary_stage(network, BoundarySettings(), batch=16)
        probs, counts = jax.jit(stage.refine)(params, frame, probs, given)

    A frame that is smaller than a patch, a mask without boundary, an object that fills the frame,
    is small, or of which the network is unsure: each keeps its mask, and is counted.

    Args:
        network: the refinement network.
        settings: how it is used.
        batch: number of patches that go through the network together.
        places: number of patches of one frame for which there is room, rounded up to batches.
    """
    places = -(-places // batch) * batch
    weight = jnp.asarray(window(PATCH, settings.taper))

    def begin(params: Any, frame: Array, probs: jax.Array, given: Array) -> tuple[Fixed, Work]:
        height, width = probs.shape[1:]
        labels = jnp.argmax(probs, 0).astype(jnp.int32)
        counts = dict.fromkeys(dict(COUNTED), jnp.int32(0))
        given_frame = jnp.any(given)
        counts["given_frames"] = given_frame.astype(jnp.int32)
        small_frame = min(height, width) < PATCH + settings.reference_edges
        counts["small_frames"] = jnp.int32(small_frame)
        inside = labels == jnp.arange(1, probs.shape[0])[:, None, None]
        area = inside.sum((1, 2))
        confidence = jnp.where(inside, probs[1:], 0).sum((1, 2)) / jnp.maximum(area, 1)
        left = jnp.full(area.shape, not small_frame) & ~given_frame
        for name, out in (
            ("no_boundary", (area == 0) & probs[1:].any((1, 2))),
            ("whole_frames", area == height * width),
            ("small_objects", (area > 0) & (area < settings.min_area)),
            ("unsure_objects", (area > 0) & (confidence < settings.min_confidence)),
        ):
            counts[name] = (left & out).sum().astype(jnp.int32)
            left = left & ~out
        if small_frame:
            nowhere = jnp.zeros((places, 2), jnp.int32)
            patches = Patches(nowhere, nowhere[:, 0], jnp.int32(0))
        else:
            patches = find_patches(
                labels,
                left & (area > 0),
                threshold=settings.threshold,
                places=places,
                reference_edges=settings.reference_edges,
            )
        count = jnp.minimum(patches.total, places)
        counts["no_room"] = patches.total - count
        counts["patches"] = count
        sums = jnp.zeros((2, *probs[1:].shape), jnp.float32)
        fixed = Fixed(frame, probs, labels, patches._replace(total=count))
        return fixed, Work(count, sums, counts)

    def empty() -> Batch:
        images = jnp.zeros((batch, PATCH, PATCH, 3), jnp.uint8)
        return Batch(images, jnp.zeros((batch, PATCH, PATCH), bool))

    def following(fixed: Fixed, work: Work, at: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Corners and objects of the patches that the places of a batch get, and which get one."""
        number = fixed.patches.total - work.left + jnp.arange(batch) - at
        used = (jnp.arange(batch) >= at) & (number < fixed.patches.total)
        number = jnp.clip(number, 0, places - 1)
        return fixed.patches.corner[number], fixed.patches.object[number], used

    def cut(fixed: Fixed, work: Work, before: Batch, at: Any) -> Batch:
        if min(fixed.labels.shape) < PATCH:
            return before
        corner, number, used = following(fixed, work, at)
        masks = crops.cut(fixed.labels, corner, PATCH) == number[:, None, None] + 1
        new = Batch(crops.cut(jnp.asarray(fixed.frame), corner, PATCH), masks)
        return jax.tree.map(
            lambda new, old: jnp.where(used.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            new,
            before,
        )

    def answer(params: Any, patches: Batch) -> jax.Array:
        logits = network.apply(params, *network_input(*patches, network.patch))
        return jax.nn.softmax(resize(logits, PATCH, PATCH))[..., 1]

    def paste(fixed: Fixed, work: Work, patches: Batch, refined: jax.Array, at: Any) -> Work:
        if min(fixed.labels.shape) < PATCH:
            return work
        corner, number, used = following(fixed, work, at)
        counts = dict(work.counts)
        taken = used
        if settings.guards:
            for name, refused in refusals(patches.masks, refined > 0.5).items():
                counts[name] += (used & refused).sum().astype(jnp.int32)
                taken = taken & ~refused
        shares = weight * taken[:, None, None]
        pieces = jnp.stack([refined * shares, shares], 1)

        def add(i: jax.Array, sums: jax.Array) -> jax.Array:
            where = (0, number[i], corner[i, 0], corner[i, 1])
            piece = jax.lax.dynamic_slice(sums, where, (2, 1, PATCH, PATCH)) + pieces[i][:, None]
            return jax.lax.dynamic_update_slice(sums, piece, where)

        count = used.sum().astype(jnp.int32)
        sums = jax.lax.fori_loop(at, at + count, add, work.sums)
        return Work(work.left - count, sums, counts)

    def end(fixed: Fixed, work: Work) -> tuple[jax.Array, dict[str, jax.Array]]:
        channels = fixed.probs.shape[0]
        if min(fixed.labels.shape) < PATCH:
            return fixed.probs, work.counts

        def lay(i: jax.Array, probs: jax.Array) -> jax.Array:
            row, column = fixed.patches.corner[i]
            coarse = jax.lax.dynamic_slice(fixed.probs, (0, row, column), (channels, PATCH, PATCH))
            sums = jax.lax.dynamic_slice(
                work.sums, (0, 0, row, column), (2, channels - 1, PATCH, PATCH)
            )
            new = fused(coarse, sums[0], sums[1], settings.strength)
            return jax.lax.dynamic_update_slice(probs, new, (0, row, column))

        return jax.lax.fori_loop(0, fixed.patches.total, lay, fixed.probs), work.counts

    return FrameStage(begin, lambda work: work.left, empty, cut, answer, paste, end, batch, COUNTED)
