"""Whole videos in batches give the masks that the tracker gives frame by frame."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy
from support.clips import clip as drawn

from vosjax.compose import combinators, views
from vosjax.errors import InputError
from vosjax.eval import engine as engines
from vosjax.eval.plan import Plan
from vosjax.loading.ensembles import Part
from vosjax.tracking.tracker import Tracker

SIZE = (32, 40)


def video(clip, marks=(0,)):
    """A clip whose object k is given in the k-th of `marks` (the last one gives the rest)."""
    frames, labels = clip
    ids = [int(i) for i in np.unique(labels[0]) if i]
    marked, left = {}, list(ids)
    for index in marks:
        mine = left[:1] if index != marks[-1] else left
        left = left[1:]
        marked[index] = np.where(np.isin(labels[index], mine), labels[index], 0).astype(np.uint8)
    return engines.VideoInput([lambda frame=frame: frame for frame in frames], marked, tuple(ids))


def tracked(model, clip, marked):
    tracker = Tracker(model, objects=4, capacity=8)
    return [tracker.step(frame, marked.get(index)) for index, frame in enumerate(clip[0])]


@pytest.fixture(scope="module")
def clips():
    return [
        drawn(frames=count, height=SIZE[0], width=SIZE[1], objects=objects)
        for count, objects in ((7, 3), (6, 2))
    ]


@pytest.fixture(scope="module")
def batched(clips):
    """Two videos of different length, side by side, encoded four frames at a time."""
    model = toy.model()
    engine = engines.Engine(
        [Part(model.model.vos, model.params, 0)], chunk=4, packing=engines.Packing(8, 0.5)
    )
    plan = Plan(SIZE, (0,), 4, 1, 8, 2)
    return list(engine.follow(plan, [video(clip) for clip in clips])), engine


def test_batches_of_frames_and_videos_change_no_mask(batched, clips):
    outcomes, _ = batched
    for row, clip in enumerate(clips):
        for index, (labels, _) in enumerate(tracked(toy.model(), clip, video(clip).marks)):
            np.testing.assert_array_equal(outcomes[index][row].labels, labels)
            assert index > 2 or labels.max() > 1  # it does follow them


def test_object_stats_are_the_tracker_s(batched, clips):
    outcomes, _ = batched
    clip = clips[0]
    for index, (_, scores) in enumerate(tracked(toy.model(), clip, video(clip).marks)):
        for slot, score in enumerate(scores.values()):
            np.testing.assert_allclose(
                outcomes[index][0].object_stats[slot],
                [score.mean_probability, score.margin, score.area],
                atol=1e-5,
            )


def test_a_video_that_has_ended_gives_nothing_more(batched):
    outcomes, _ = batched
    assert [outcome is None for outcome in outcomes[6]] == [False, True]


def test_packed_probabilities_are_small_whole_numbers(batched):
    packed = batched[0][3][0].packed
    assert packed.dtype == np.uint8 and packed.shape == (4, 16, 20) and packed.max() > 200


def test_compiling_is_timed_apart(batched):
    assert batched[1].compile_seconds > 0


def test_objects_that_start_late_enter_with_their_masks(batched, clips):
    late = [video(clip, marks=(1, 4)) for clip in clips]
    outcomes = list(batched[1].follow(Plan(SIZE, (1, 4), 4, 1, 8, 2), late))
    assert [frame[0].index for frame in outcomes] == [1, 2, 3, 4, 5, 6]
    for frame, (labels, _) in zip(outcomes, tracked(toy.model(), clips[0], late[0].marks)[1:]):
        np.testing.assert_array_equal(frame[0].labels, labels)


def test_videos_of_like_shapes_share_programs(batched):
    assert len(batched[1]._programs) == 1


def test_parts_run_apart_and_are_fused(clips):
    """With a flipped part beside the straight one, a mirrored video gives mirrored masks."""
    model, (frames, labels) = toy.model(), clips[0]
    parts = [Part(vos, model.params, 0) for vos in views.separate_views(model.model.vos, flip=True)]
    engine, plan = engines.Engine(parts), Plan(SIZE, (0,), 4, 1, 8, 2)
    straight, mirror = (
        [frame[0].labels for frame in engine.follow(plan, [video(clip)])]
        for clip in ((frames, labels), (frames[:, :, ::-1], labels[:, :, ::-1]))
    )
    assert np.mean(np.array(straight) == np.array(mirror)[..., ::-1]) > 0.999
    assert np.array(straight)[1].any()


def test_a_frame_that_cannot_be_read_ends_the_video_with_its_message(batched, clips):
    def broken():
        raise InputError("frame 5 is damaged")

    bad = video(clips[0])
    bad = bad._replace(frames=[*bad.frames[:5], broken])
    with pytest.raises(InputError, match="frame 5 is damaged"):
        list(batched[1].follow(Plan(SIZE, (0,), 4, 1, 8, 2), [bad, video(clips[1])]))


def test_the_surest_network_weighs_most():
    probs = jnp.array([[[[0.9]], [[0.1]]], [[[0.4]], [[0.6]]]])
    fused = combinators.confidence_weighted(probs)
    np.testing.assert_allclose(
        fused[:, 0, 0], np.array([0.81 + 0.24, 0.09 + 0.36]) / 1.5, rtol=1e-6
    )
    assert jax.numpy.isclose(fused.sum(), 1)
