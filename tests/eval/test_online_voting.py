"""Key-point voting among networks that run together: one step, one state, in every engine."""

import functools

import numpy as np
import pytest
from support import toy
from support.clips import textured_clip

from vosjax.compose import combinators
from vosjax.eval.engine import Engine, VideoInput
from vosjax.eval.plan import Plan
from vosjax.loading.ensembles import Part
from vosjax.tracking.tracker import Tracker
from vosjax.voting import fusion

SIZE = (96, 128)
FRAMES, LABELS = textured_clip()


VOTING = fusion.keypoint_fusion()


@functools.lru_cache  # so that tests share compiled programs
def together(*, slots=4, feedback="own", fusion=VOTING):
    """Two toys as one `Loaded`; the second hardly tells patches apart."""
    one = toy.model(slots=slots)
    blind = one.params | {"key": one.params["key"] * 0.1}
    vos = combinators.ensemble([one.model.vos] * 2, feedback=feedback, fusion=fusion)
    return one._replace(model=one.model._replace(vos=vos), params=(one.params, blind))


def late(labels):
    """Marks of the first frame without object 2, and of frame 2 with it alone."""
    return {0: np.where(labels[0] == 1, 1, 0), 2: np.where(labels[2] == 2, 2, 0)}


def follow(tracker, frames=FRAMES, marks=None):
    marks = late(LABELS) if marks is None else marks
    return np.stack([tracker.step(frame, marks.get(i)).labels for i, frame in enumerate(frames)])


@pytest.fixture(scope="module", params=["own", "fused"])
def model(request):
    return together(feedback=request.param)


def test_one_compilation_and_constant_state(model):
    tracker = Tracker(model, objects=2, capacity=8)
    sizes = [tracker.step(FRAMES[0], late(LABELS)[0]) and tracker.state_bytes]
    for index in range(1, 6):
        tracker.step(FRAMES[index], late(LABELS).get(index))
        sizes.append(tracker.state_bytes)
    assert tracker.traces == 1 and len(set(sizes)) == 1


def test_voting_tells_which_network_is_right(model):
    """The mean of one that tells objects apart and one that does not is worse than voting."""
    right = [
        (follow(Tracker(network, objects=2, capacity=8))[3:] == LABELS[3:]).mean()
        for network in (model, together(fusion=combinators.stateless(combinators.mean)))
    ]
    assert right[0] > right[1]


def test_a_saved_tracker_goes_on_bit_by_bit(model, tmp_path):
    whole = follow(Tracker(model, objects=2, capacity=8))
    first = Tracker(model, objects=2, capacity=8)
    follow(first, FRAMES[:3])
    first.save(tmp_path / "state")
    second = Tracker.restore(tmp_path / "state", model)
    rest = np.stack([second.step(frame).labels for frame in FRAMES[3:]])
    np.testing.assert_array_equal(rest, whole[3:])


def test_memory_that_grows_changes_no_mask():
    np.testing.assert_array_equal(
        follow(Tracker(together(), objects=2, capacity=2, max_mem_frames=8)),
        follow(Tracker(together(), objects=2, capacity=8)),
    )


def test_objects_beyond_the_slots_get_a_group_whose_votes_are_its_own():
    """Three objects in groups of one; the last comes late and makes its group then."""
    marks = late(LABELS) | {4: np.where(LABELS[4] == 1, 0, 3) * (np.indices(SIZE)[0] > 85)}
    small = together(slots=1)
    grown = follow(Tracker(small, objects=2, capacity=8), marks=marks)
    np.testing.assert_array_equal(grown, follow(Tracker(small, objects=3, capacity=8), marks=marks))
    assert set(np.unique(grown[4])) == {0, 1, 2, 3}


@pytest.mark.parametrize("alone_too", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_videos_side_by_side_are_videos_one_by_one(alone_too):
    """In the tracker, and in an engine of their own, which is another program."""
    both = [(FRAMES, LABELS), textured_clip(seed=1)]
    videos = [
        VideoInput(
            [lambda frame=frame: frame for frame in frames],
            {i: marks.astype(np.uint8) for i, marks in late(labels).items()},
            (1, 2),
        )
        for frames, labels in both
    ]
    loaded, plan = together(), Plan(SIZE, (0, 2), 2, 1, 4, 2)
    engine = Engine([Part(loaded.model.vos, loaded.params, 0)], chunk=2)
    pair = list(engine.follow(plan, videos))
    for number, (video, (frames, labels)) in enumerate(zip(videos, both)):
        mine = np.stack([outcomes[number].labels for outcomes in pair])
        if alone_too:
            alone = [outcome.labels for (outcome,) in engine.follow(plan, [video])]
            np.testing.assert_array_equal(mine, np.stack(alone))
        tracked = follow(Tracker(loaded, objects=2, capacity=4), frames, late(labels))
        np.testing.assert_array_equal(mine, tracked)


def test_equal_networks_are_the_network():
    one = toy.model()
    vos = combinators.ensemble([one.model.vos] * 2, fusion=fusion.keypoint_fusion("orb"))
    two = one._replace(model=one.model._replace(vos=vos), params=(one.params,) * 2)
    alone = follow(Tracker(one, objects=2, capacity=8))
    assert (follow(Tracker(two, objects=2, capacity=8)) == alone).mean() > 0.999
