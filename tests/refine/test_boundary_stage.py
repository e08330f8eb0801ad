"""Boundary refinement against the reference's whole pipeline, and what it promises beyond it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.paths import nest
from vosjax.refine.boundary import network as networks
from vosjax.refine.boundary.crops import cut, network_input, resize_bytes
from vosjax.refine.boundary.paste import fused, refusals, window
from vosjax.refine.boundary.stage import COUNTED, BoundarySettings, as_reference, boundary_stage

SIZE = (96, 120)  # of the frames of the made cases: small, so that programs compile fast


class Answer:
    """Stands for a network whose answer for a patch is `rule(masks)`, float [B, S, S] logits."""

    def __init__(self, rule):
        self.rule = rule

    patch = 64

    def apply(self, params, images, masks):
        inside = self.rule(masks)
        return jnp.stack([jnp.zeros_like(inside), inside], -1)


def agreeing(masks):
    """The coarse mask again, surely."""
    return 20 * masks


def shifted(masks):
    """The coarse mask, two pixels to the right."""
    return 20 * jnp.concatenate([masks[:, :, :1], masks[:, :, :1], masks[:, :, :-2]], 2)


def soft(labels, objects, sure=0.9):
    """Probabilities of labels: `sure` for the object, the rest for all others alike."""
    one_hot = np.arange(objects + 1)[:, None, None] == labels
    return np.where(one_hot, sure, (1 - sure) / objects).astype(np.float32)


def disc(centre, radius, size=SIZE):
    y, x = np.mgrid[: size[0], : size[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def two_objects():
    labels = np.zeros(SIZE, np.int32)
    labels[disc((48, 45), 30)] = 1
    labels[disc((48, 80), 25)] = 2
    return labels


FRAME = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def refine(
    labels, rule=shifted, *, objects=2, given=None, sure=0.9, batch=4, places=32, **settings
):
    """(probabilities before, after, counts) of one frame."""
    stage = boundary_stage(Answer(rule), BoundarySettings(**settings), batch=batch, places=places)
    probs = soft(labels, objects, sure)
    given = np.zeros(objects, bool) if given is None else np.array(given)
    frame = FRAME if labels.shape == SIZE else np.zeros((*labels.shape, 3), np.uint8)
    after, counts = jax.jit(stage.refine)({}, frame, probs, given)
    return probs, np.asarray(after), {name: int(count) for name, count in counts.items()}


@functools.cache
def reference():
    """(network, weights) of the pipeline golden."""
    network = networks.build(patch=128)
    manifest = goldens.manifest("bpr/manifest_hrnet18s_128.json")
    state = goldens.rebuilt("bpr", manifest)
    golden = goldens.arrays("bpr/pipeline.npz")
    state |= {f"decode_head.conv_seg.{x}": golden[f"conv_seg_{x}"] for x in ("weight", "bias")}
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in networks.forms(network).items()}
    return network, nest(convert(state, network.checkpoint_names, expected=expected))


def test_crops_have_the_bits_of_the_reference():
    golden = goldens.arrays("bpr/pipeline.npz")
    x, y = golden["dets"][0, :2].astype(int)
    patch = golden["image_bgr"][None, y : y + 64, x : x + 64]
    assert np.array_equal(resize_bytes(jnp.asarray(patch), 128), golden["img128"][:1])
    mask = golden["mask"][None, y : y + 64, x : x + 64] > 0
    signs = network_input(jnp.asarray(patch), jnp.asarray(mask), 128)[1]
    assert np.array_equal(signs > 0, golden["mask128"][:1] > 0)


def test_the_whole_pipeline_is_the_references():
    network, params = reference()
    golden = goldens.arrays("bpr/pipeline.npz")
    stage = boundary_stage(network, as_reference(float(golden["thr"])), batch=4, places=16)
    frame, mask = golden["image_bgr"][..., ::-1].copy(), golden["mask"] > 0
    probs = np.stack([~mask, mask]).astype(np.float32)
    fixed, work = jax.jit(stage.begin)(params, frame, probs, np.zeros(1, bool))
    count = len(golden["dets"])
    assert int(work.left) == count
    assert np.array_equal(fixed.patches.corner[:count], golden["dets"][:, 1::-1])
    advance = jax.jit(stage.advance)
    while stage.pending(work):
        work = advance(params, fixed, work)
    sums, weights = np.asarray(work.sums)[:, 0]
    assert np.array_equal(weights, golden["count"])
    covered = weights > 0
    average = sums[covered] / weights[covered]
    assert np.abs(average - golden["avg"][covered]).max() <= 1e-5
    after, _ = jax.jit(stage.end)(fixed, work)
    assert np.array_equal(np.asarray(after).argmax(0), golden["refined"] > 0)


def test_one_program_and_the_loop_on_the_host_agree():
    stage = boundary_stage(Answer(shifted), BoundarySettings(), batch=2, places=32)
    probs, given = soft(two_objects(), 2), np.zeros(2, bool)
    fixed, work = stage.begin({}, FRAME, jnp.asarray(probs), given)
    while stage.pending(work):
        work = stage.advance({}, fixed, work)
    stepped, counts = stage.end(fixed, work)
    whole, counted = jax.jit(stage.refine)({}, FRAME, probs, given)
    assert np.allclose(stepped, whole, atol=1e-6)
    assert counts == counted and list(counts) == [name for name, _ in COUNTED]


def test_probabilities_sum_to_one_and_pixels_without_a_patch_keep_their_bits():
    labels = np.zeros((200, 260), np.int32)
    labels[disc((100, 130), 90, (200, 260))] = 1
    before, after, counts = refine(labels, objects=3)
    assert counts["patches"] > 0
    assert np.abs(after.sum(0) - 1).max() < 1e-5 and after.min() >= 0
    unchanged = (before == after).all(0)
    assert unchanged[100, 130] and not unchanged.all()
    changed = ~unchanged
    assert disc((100, 130), 90 + 64, (200, 260))[changed].all()


@pytest.mark.parametrize("strength", [0.3, 0.7, 1.0])
def test_where_objects_meet_every_pixel_has_one_owner(strength):
    """Both objects grow to the right: the pixels between them are claimed by both."""
    labels = two_objects()
    before, after, _ = refine(labels, strength=strength)
    assert np.abs(after.sum(0) - 1).max() < 1e-5
    owners = after.argmax(0)
    assert set(np.unique(owners)) == {0, 1, 2}
    both = (np.roll(labels, 2, 1) == 1) & (labels == 2)
    assert np.isin(owners[both], [1, 2]).all()


def test_a_refined_boundary_moves_as_the_network_says():
    labels = np.where(disc((48, 60), 30), 1, 0)
    _, after, counts = refine(labels, objects=1, strength=1.0)
    moved = np.roll(labels, 2, 1)
    assert counts["patches"] > 0
    assert (after.argmax(0) != moved).mean() < (labels != moved).mean() / 3


def test_a_frame_with_given_masks_is_left_alone():
    before, after, counts = refine(two_objects(), given=[False, True])
    assert np.array_equal(before, after)
    assert counts["given_frames"] == 1 and counts["patches"] == 0


BAD = {
    "no_boundary": np.zeros(SIZE, np.int32),
    "whole_frames": np.ones(SIZE, np.int32),
    "small_objects": np.where(disc((48, 60), 8), 1, 0),
    "small_frames": np.where(disc((30, 60), 20, (63, 120)), 1, 0),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_refined_keeps_its_mask_and_is_counted(name):
    before, after, counts = refine(BAD[name], objects=1)
    assert np.array_equal(before, after)
    assert {key: count for key, count in counts.items() if count} == {name: 1}


def test_an_object_that_the_network_is_unsure_of_is_left_alone():
    before, after, counts = refine(np.where(disc((48, 60), 30), 1, 0), objects=1, sure=0.6)
    assert np.array_equal(before, after)
    assert counts["unsure_objects"] == 1 and counts["patches"] == 0


REFUSED = {
    "one_class": lambda masks: jnp.full_like(masks, -20),
    "other_mask": lambda masks: -20 * masks,
}


@pytest.mark.parametrize("name", REFUSED)
def test_patches_that_are_no_refinement_are_refused_and_counted(name):
    labels = np.where(disc((48, 60), 30), 1, 0)
    before, after, counts = refine(labels, REFUSED[name], objects=1)
    assert np.array_equal(before, after)
    assert counts[name] == counts["patches"] > 0


def test_changes_far_from_the_boundary_are_refused():
    coarse = np.zeros((1, 64, 64), bool)
    coarse[:, :, :32] = True
    refined = coarse.copy()
    refined[:, :, 50:] = True
    refused = {name: bool(is_so[0]) for name, is_so in refusals(coarse, refined).items()}
    assert refused == {"one_class": False, "other_mask": False, "far_changes": True}
    near = coarse.copy()
    near[:, :, 32:40] = True
    assert not any(bool(is_so[0]) for is_so in refusals(coarse, near).values())


def test_patches_without_room_are_counted_and_the_others_refined():
    before, after, counts = refine(two_objects(), threshold=0.55, batch=2, places=3)
    assert counts["patches"] == 4 and counts["no_room"] > 0  # room is whole batches
    assert not np.array_equal(before, after)


def test_an_agreeing_network_changes_no_label():
    labels = two_objects()
    _, after, _ = refine(labels, agreeing)
    assert np.array_equal(after.argmax(0), labels)


def test_fusion_follows_its_formula():
    rng = np.random.default_rng(1)
    probs = rng.dirichlet(np.ones(3), 50).T.astype(np.float32)
    sums, weights = rng.uniform(0, 1, (2, 50)), rng.integers(0, 2, (2, 50))
    after = fused(probs, (sums * weights).astype(np.float32), weights.astype(np.float32), 0.6)
    mixed = np.where(weights, 0.4 * probs[1:] + 0.6 * sums, probs[1:])
    every = np.concatenate([np.prod(1 - mixed, 0, keepdims=True), mixed])
    odds = every / (1 - every)
    expected = np.where(weights.any(0), odds / odds.sum(0), probs)
    assert np.allclose(after, expected, atol=1e-5)


def test_the_taper_is_one_inside_and_never_nothing():
    assert np.array_equal(window(64, False), np.ones((64, 64)))
    weights = window(64, True)
    assert (weights[8:-8, 8:-8] == 1).all() and weights.min() == np.float32(0.05)
    assert np.array_equal(weights, weights.T) and np.array_equal(weights, weights[::-1])


def test_patches_are_cut_where_they_are_said_to_be():
    corners = jnp.array([[0, 0], [20, 33]])
    patches = cut(jnp.asarray(FRAME), corners, 64)
    assert np.array_equal(patches[1], FRAME[20:84, 33:97])
