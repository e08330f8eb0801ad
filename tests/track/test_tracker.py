"""The tracker over the toy: ids, sizes, more objects and memory, and what it refuses."""

import dataclasses
import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy
from support.clips import clip

from vosjax.errors import InputError
from vosjax.schema import NEVER
from vosjax.tracking.labels import to_labels
from vosjax.tracking.slots import ObjectSlots
from vosjax.tracking.tracker import Tracker

FRAMES, LABELS = clip(frames=10, height=48, width=64, objects=2)
IDS = np.array([0, 7, 200], np.uint8)
FIRST = IDS[LABELS[0]]
MODEL = toy.model(slots=4, mem_every=2, max_mem_frames=8)


def tracker(**settings):
    return Tracker(MODEL, **{"objects": 2, "capacity": 8} | settings)


def test_ids_are_the_users_own():
    followed = tracker()
    first = followed.step(FRAMES[0], FIRST)
    np.testing.assert_array_equal(first.labels, FIRST)
    assert first.labels.dtype == np.uint8 and sorted(first.scores) == [7, 200]
    later = followed.step(FRAMES[1])
    assert set(np.unique(later.labels)) == {0, 7, 200}
    assert (later.labels == IDS[LABELS[1]]).mean() > 0.8


def test_labels_have_the_size_of_the_frames():
    followed = tracker()
    frame, labels = FRAMES[0][:45, :61], FIRST[:45, :61]
    np.testing.assert_array_equal(followed.step(frame, labels).labels, labels)
    assert followed.step(frame).labels.shape == (45, 61)
    assert (followed.spec.height, followed.spec.width) == (48, 64)


def test_a_cap_makes_the_network_see_less():
    followed = tracker(max_short_side=24)
    labels = followed.step(FRAMES[0], FIRST).labels
    assert (followed.spec.height, followed.spec.width) == (24, 32)
    np.testing.assert_array_equal(labels, FIRST)


def test_before_the_first_object_there_is_background():
    followed = tracker()
    assert not followed.step(FRAMES[0]).labels.any() and followed.traces == 0
    np.testing.assert_array_equal(followed.step(FRAMES[1], FIRST).labels, FIRST)
    assert followed.time == 2


def test_the_frame_of_the_first_object_starts_the_clock():
    late, prompt = tracker(), tracker()
    for frame in FRAMES[:5]:
        late.step(frame)
    for frame, labels in zip(FRAMES[5:], [FIRST, None, None, None]):
        np.testing.assert_array_equal(
            late.step(frame, labels).labels, prompt.step(frame, labels).labels
        )


def test_an_added_object_waits_for_the_next_frame():
    followed = tracker()
    followed.step(FRAMES[0], np.where(FIRST == 7, 7, 0))
    followed.add(np.where(IDS[LABELS[1]] == 200, 200, 0))
    assert followed.objects == [7]
    result = followed.step(FRAMES[1])
    assert followed.objects == [7, 200]
    np.testing.assert_array_equal(result.labels == 200, LABELS[1] == 2)


def test_a_correction_comes_out_as_given():
    followed = tracker()
    followed.step(FRAMES[0], FIRST)
    correction = np.zeros_like(FIRST)
    correction[30:40, 2:9] = 7
    np.testing.assert_array_equal(followed.step(FRAMES[1], correction).labels == 7, correction == 7)


def test_a_removed_object_is_seen_no_more():
    followed = tracker()
    followed.step(FRAMES[0], FIRST)
    followed.remove(7)
    result = followed.step(FRAMES[1])
    assert set(np.unique(result.labels)) == {0, 200} and sorted(result.scores) == [200]
    assert followed.traces == 1


def test_when_all_are_removed_the_memory_is_new():
    used, fresh = tracker(), tracker()
    used.step(FRAMES[3], FIRST)
    used.remove(7)
    used.remove(200)
    assert not used.step(FRAMES[4]).labels.any()
    for frame, labels in zip(FRAMES[:3], (FIRST, None, None)):
        np.testing.assert_array_equal(
            used.step(frame, labels).labels, fresh.step(frame, labels).labels
        )


def test_an_unknown_object_cannot_be_removed():
    with pytest.raises(ValueError, match=r"no object 9; there are: \[\]"):
        tracker().remove(9)


def test_eleven_objects_need_no_special_care():
    frames, labels = clip(frames=3, height=96, width=96, objects=11, side=16)
    followed = Tracker(MODEL, objects=11, capacity=4)
    np.testing.assert_array_equal(followed.step(frames[0], labels[0]).labels, labels[0])
    result = followed.step(frames[0])
    assert followed.spec.objects == 12 and len(result.scores) == 11
    assert (result.labels == labels[0]).mean() > 0.8 and followed.traces == 1


def test_more_objects_than_expected_cost_one_compilation():
    followed = Tracker(toy.model(slots=2), capacity=8)
    followed.step(FRAMES[0], FIRST)
    assert followed.traces == 1
    third = np.zeros_like(FIRST)
    third[40:, 50:] = 31
    np.testing.assert_array_equal(followed.step(FRAMES[1], third).labels == 31, third == 31)
    later = followed.step(FRAMES[2])
    assert sorted(later.scores) == [7, 31, 200] and followed.traces == 2
    assert (later.labels == 7).any() and (later.labels == 200).any()


def test_a_full_memory_doubles_up_to_the_limit():
    followed = Tracker(MODEL, objects=2, mem_every=1, capacity=2, max_mem_frames=6)
    sizes = []
    for t, frame in enumerate(FRAMES):
        followed.step(frame, FIRST if t == 0 else None)
        sizes.append(followed.spec.capacity)
    assert sizes == [2, 2, 4, 4, 6, 6, 6, 6, 6, 6]


def test_annotated_frames_grow_the_memory_beyond_the_limit():
    followed = Tracker(MODEL, objects=2, capacity=2, max_mem_frames=2)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        for frame in FRAMES[:3]:
            followed.step(frame, FIRST)
    assert followed.spec.capacity == 4
    assert ["annotated frames are always kept" in str(note.message) for note in noted] == [True]


def test_results_can_be_fetched_later():
    ahead, direct = tracker(), tracker()
    pending = [ahead.submit(f, FIRST if t == 0 else None) for t, f in enumerate(FRAMES)]
    for t, (fetch, frame) in enumerate(zip(pending, FRAMES)):
        np.testing.assert_array_equal(
            fetch().labels, direct.step(frame, FIRST if t == 0 else None).labels
        )


def test_a_frame_buffer_may_be_used_again():
    followed, buffer = tracker(), FRAMES[0].copy()
    fetch = followed.submit(buffer, FIRST)
    buffer[:] = 0
    fetch()
    other = tracker()
    other.step(FRAMES[0], FIRST)
    np.testing.assert_array_equal(followed.step(FRAMES[1]).labels, other.step(FRAMES[1]).labels)


def test_compiling_ahead_leaves_nothing_to_compile():
    followed = Tracker(toy.model(slots=2), objects=2, capacity=8)
    program = followed.compile(48, 64)
    assert program.memory_analysis().temp_size_in_bytes > 0
    followed.step(FRAMES[0], FIRST)
    assert followed.traces == 1


def test_the_state_is_arrays_of_the_host():
    followed = tracker()
    followed.step(FRAMES[0], FIRST)
    leaves = jax.tree.leaves(followed.state.network)
    assert leaves and all(type(leaf) is np.ndarray for leaf in leaves)


def test_a_state_without_objects_can_be_saved(tmp_path):
    Tracker(MODEL).save(tmp_path / "state.npz")
    restored = Tracker.restore(tmp_path / "state.npz", MODEL)
    np.testing.assert_array_equal(restored.step(FRAMES[0], FIRST).labels, FIRST)


def test_a_state_in_groups_goes_on_bit_by_bit(tmp_path):
    followed = Tracker(toy.model(slots=1), objects=2, capacity=4)
    for t, frame in enumerate(FRAMES[:4]):
        followed.step(frame, FIRST if t == 0 else None)
    followed.save(tmp_path / "state.npz")
    restored = Tracker.restore(tmp_path / "state.npz", followed.model)
    for frame in FRAMES[4:7]:
        a, b = followed.step(frame), restored.step(frame)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert a.scores == b.scores


def test_a_tracker_goes_on_from_a_state_as_from_a_file(tmp_path):
    followed = tracker()
    followed.step(FRAMES[0], FIRST)
    followed.save(tmp_path / "state.npz")
    states = followed.state, tmp_path / "state.npz"
    expected = followed.step(FRAMES[1]).labels
    for state in states:
        for _ in range(2):  # the state is left as it is
            restored = Tracker.restore(state, MODEL)
            np.testing.assert_array_equal(restored.step(FRAMES[1]).labels, expected)


def test_labels_that_wait_for_the_next_frame_are_saved(tmp_path):
    followed = tracker()
    followed.step(FRAMES[0], np.where(FIRST == 7, 7, 0))
    followed.add(np.where(IDS[LABELS[1]] == 200, 200, 0))
    followed.save(tmp_path / "state.npz")
    restored = Tracker.restore(tmp_path / "state.npz", MODEL)
    for one in (restored, followed):
        np.testing.assert_array_equal(one.step(FRAMES[1]).labels == 200, LABELS[1] == 2)
        assert one.step(FRAMES[2]).scores.keys() == {7, 200}


def test_objects_that_came_and_went_are_saved(tmp_path):
    followed = Tracker(toy.model(slots=2), objects=2, mem_every=2, capacity=4)
    followed.step(FRAMES[0], FIRST)
    followed.remove(200)
    followed.step(FRAMES[1])
    followed.save(tmp_path / "state.npz")
    restored = Tracker.restore(tmp_path / "state.npz", followed.model)
    marks = np.where(LABELS[2] == 2, 31, 0)
    for frame, labels in ((FRAMES[2], marks), (FRAMES[3], None)):
        np.testing.assert_array_equal(
            restored.step(frame, labels).labels, followed.step(frame, labels).labels
        )
    assert restored.spec.objects == 2 and restored.objects == [7, 31]


def test_a_state_of_other_weights_is_refused(tmp_path):
    tracker().save(tmp_path / "state.npz")
    with pytest.raises(InputError, match="belongs to weights toy"):
        Tracker.restore(tmp_path / "state.npz", MODEL._replace(card={"sha256": "other"}))


def test_a_damaged_state_is_refused(tmp_path):
    tracker().save(tmp_path / "state.npz")
    data = (tmp_path / "state.npz").read_bytes()
    (tmp_path / "state.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="no saved tracker"):
        Tracker.restore(tmp_path / "state.npz", MODEL)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": 1}, r"another version \(format 1, this one reads 2\): remove it"),
        ({"format": 3}, "another version"),
        ({"books": {}}, "no saved tracker"),
        ({"forms": [["float99", [1]]]}, "no saved tracker"),
    ],
)
def test_a_state_of_another_version_is_refused(tmp_path, change, words):
    tracker().save(tmp_path / "state.npz")
    rewrite(tmp_path / "state.npz", lambda head: head.update(change))
    with pytest.raises(InputError, match=words):
        Tracker.restore(tmp_path / "state.npz", MODEL)


@pytest.mark.parametrize(
    "change",
    [
        lambda books: books.update(time=-5),
        lambda books: books.update(mem_every=0),
        lambda books: books.update(size=None),
        lambda books: books["objects"].update(used=10**9),
        lambda books: books["objects"].update(ids=[0, 7, 7]),
        lambda books: books["objects"].update(ids=[0, 7, 700]),
        lambda books: books["objects"].update(first=[]),
        lambda books: books["objects"].update(freed=[9]),
        lambda books: books["objects"].update(group=0),
        lambda books: books["memory"].update(capacity=0),
        lambda books: books["memory"].update(annotated={"soon": [1]}),
        lambda books: books.update(surprise=1),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(tmp_path, change):
    followed = tracker()
    followed.step(FRAMES[0], FIRST)
    followed.save(tmp_path / "state.npz")
    rewrite(tmp_path / "state.npz", lambda head: change(head["books"]))
    with pytest.raises(InputError, match="no saved tracker"):
        Tracker.restore(tmp_path / "state.npz", MODEL)


def test_a_state_of_another_size_is_refused(tmp_path):
    followed = tracker()
    followed.step(FRAMES[0], FIRST)
    followed.save(tmp_path / "state.npz")
    for change in ({"size": [96, 64]}, {"objects": larger()}):
        rewrite(tmp_path / "state.npz", lambda head, change=change: head["books"].update(change))
        with pytest.raises(InputError, match="does not fit the network"):
            Tracker.restore(tmp_path / "state.npz", MODEL)


def larger():
    """The books of a tracker with groups of more slots than the network has."""
    return dataclasses.asdict(ObjectSlots.empty(99, 1)) | {
        "ids": [0, 7, 200] + [0] * 97,
        "last": [-1, NEVER, NEVER] + [-1] * 97,
        "used": 2,
    }


def rewrite(path, change):
    """Changes the head of a saved state."""
    with np.load(path) as file:
        parts = dict(file)
    head = json.loads(parts["head"].tobytes())
    change(head)
    parts["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(path, **parts)


@pytest.mark.parametrize(
    "frame, words",
    [
        (np.zeros((48, 64, 3), np.float32), "uint8"),
        (np.zeros((48, 64), np.uint8), r"\[48, 64\]"),
        (np.zeros((40, 64, 3), np.uint8), "40x64, those before are 48x64"),
    ],
)
def test_other_frames_are_refused(frame, words):
    followed = tracker()
    followed.step(FRAMES[0])
    with pytest.raises(ValueError, match=words):
        followed.step(frame)


@pytest.mark.parametrize(
    "labels, words",
    [
        (np.zeros((48, 64), np.uint8), "at least one object"),
        (np.full((48, 64), 300), "ids up to 255"),
        (np.ones((48, 60), np.uint8), r"integers \[?\(?48, 64"),
        (np.ones((48, 64), np.float32), "float32"),
    ],
)
def test_other_labels_are_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        tracker().step(FRAMES[0], labels)


@pytest.mark.parametrize(
    "name", ["mem_every", "max_mem_frames", "capacity", "objects", "max_short_side"]
)
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        Tracker(MODEL, **{name: 0})


def test_object_stats_by_hand():
    probs = jnp.array([[0.1, 0.7], [0.6, 0.2], [0.3, 0.1]])[:, None]
    labels, object_stats = to_labels(probs, jnp.array([0, 9, 5], jnp.uint8))
    np.testing.assert_array_equal(labels, [[9, 0]])
    np.testing.assert_allclose(object_stats, [[0.6, 0.3, 1], [0, 0, 0]], atol=1e-6)
