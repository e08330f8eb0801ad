"""Snapshots from a file: correct, or refused with a line that says what to remove."""

import json

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import toy
from support.clips import clip

from vosjax.compose.views import views
from vosjax.errors import InputError
from vosjax.schema import NEVER
from vosjax.tracking.tracker import Tracker

FRAMES, LABELS = clip(frames=6, height=48, width=64, objects=2)
MODEL = toy.model()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A snapshot after three frames, and the labels of the next one."""
    tracker = Tracker(MODEL, objects=2, mem_every=2, capacity=2)
    for frame, labels in zip(FRAMES[:3], (LABELS[0], None, None)):
        tracker.step(frame, labels)
    path = tmp_path_factory.mktemp("saved") / "tracker.npz"
    tracker.save(path)
    return path.read_bytes(), tracker.step(FRAMES[3]).labels


@pytest.fixture
def path(saved, tmp_path):
    (tmp_path / "tracker.npz").write_bytes(saved[0])
    return tmp_path / "tracker.npz"


def rewrite(path, change):
    """change(head, parts) of a snapshot."""
    with np.load(path) as file:
        parts = dict(file)
    head = json.loads(parts["head"].tobytes())
    change(head, parts)
    parts["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(path, **parts)


def refused(path):
    with pytest.raises(InputError) as error:
        Tracker.restore(path, MODEL)
    line = str(error.value)
    assert "\n" not in line and len(line) < 500
    return line


def books(**changes):
    return lambda head, parts: head["books"].update(changes)


def objects(**changes):
    return lambda head, parts: head["books"]["objects"].update(changes)


def memory(**changes):
    return lambda head, parts: head["books"]["memory"].update(changes)


def test_a_snapshot_goes_on(path, saved):
    np.testing.assert_array_equal(Tracker.restore(path, MODEL).step(FRAMES[3]).labels, saved[1])


def test_a_snapshot_of_several_views_goes_on(tmp_path):
    augmented = views(MODEL.model.vos, scales=(1.0, 1.5))
    several = MODEL._replace(model=MODEL.model._replace(vos=augmented))
    tracker = Tracker(several, objects=2)
    tracker.step(FRAMES[0], LABELS[0])
    tracker.save(tmp_path / "tracker.npz")
    restored = Tracker.restore(tmp_path / "tracker.npz", several)
    np.testing.assert_array_equal(restored.step(FRAMES[1]).labels, tracker.step(FRAMES[1]).labels)


@pytest.mark.parametrize(
    "change, words",
    [
        (books(time=-5), ""),
        (books(time=2.5), "time is 2.5"),
        (books(time=10**12), "time is"),
        (books(time="3"), "time is '3'"),
        (books(time=True), "time is True"),
        (books(mem_every=0), "mem_every is 0"),
        (books(mem_every=None), "mem_every is None"),
        (books(max_mem_frames=-1), ""),
        (books(max_short_side=0), "max_short_side is 0"),
        (books(max_short_side=[1]), "max_short_side"),
        (books(size=[48]), "size"),
        (books(size=[48, -64]), "size"),
        (books(size=None), "no size"),
        (books(weights=5), "weights is 5"),
        (books(objects=[]), "objects is []"),
        (books(memory=3), "memory is 3"),
        (books(extra=1), "no field 'extra'"),
        (objects(ids=[0, 1, 1]), "an object is in two slots"),
        (objects(ids=[0, 1, 256]), "id is not of 1 to 255"),
        (objects(ids=[0, -1, 2]), "id is not"),
        (objects(ids=[5, 1, 2]), "objects.ids"),
        (objects(ids=[]), "objects.ids"),
        (objects(ids="ab"), "ids is 'ab'"),
        (objects(ids=[0, 1.0, 2]), "ids[1] is 1.0"),
        (objects(used=10**9), "used is 1000000000"),
        (objects(used=-1), "used is -1"),
        (objects(group=10**9), "objects.group"),
        (objects(group=0), "objects.group"),
        (objects(first=[0, 99, 0]), "objects.first"),
        (objects(last=[99, NEVER, NEVER]), "objects.last"),
        (objects(freed=[1]), "objects.freed"),
        (objects(freed=[1, 1]), "objects.freed"),
        (memory(capacity=10**9), "memory.capacity is 1000000000"),
        (memory(capacity=0), "memory.capacity"),
        (memory(filled=99), "memory.filled"),
        (memory(last=-1), "memory.last"),
        (memory(last=99), "memory.last"),
        (memory(annotated={"-1": [1]}), "memory.annotated"),
        (memory(annotated={"0": [9]}), "memory.annotated"),
        (memory(annotated={"0": []}), "memory.annotated"),
        (memory(annotated={"9" * 5000: [1]}), ""),
        (memory(annotated=[0]), "annotated is [0]"),
        (lambda head, parts: head.update(forms="x"), ""),
        (lambda head, parts: head.update(forms=[["object", [1]]]), ""),
        (lambda head, parts: head.update(forms=[["float32", [-1]]] * len(head["forms"])), ""),
        (lambda head, parts: head.update(queued=True), ""),
        (lambda head, parts: head.pop("books"), "books"),
        (lambda head, parts: parts.pop("leaf0"), "leaf0"),
    ],
)
def test_a_tampered_snapshot_is_refused_and_what_to_remove_is_said(path, change, words):
    rewrite(path, change)
    line = refused(path)
    assert words in line and str(path) in line and "remove it, and the same command" in line


@pytest.mark.parametrize("change", [objects(used=0), objects(last=[-1, 0, 1])])
def test_what_follows_from_the_objects_is_taken_from_them(path, saved, change):
    rewrite(path, change)
    tracker = Tracker.restore(path, MODEL)
    np.testing.assert_array_equal(tracker.step(FRAMES[3]).labels, saved[1])
    assert tracker.state.books.objects.used == 2


def test_arrays_of_another_shape_or_dtype_are_refused(path):
    def reshaped(head, parts):
        head["forms"][0][1] = [int(np.prod(head["forms"][0][1]))]

    rewrite(path, reshaped)
    assert "does not fit the network" in refused(path)


def test_a_state_that_is_no_number_is_refused(path):
    def broken(head, parts):
        floats = [i for i, (name, _) in enumerate(head["forms"]) if name == "float32"]
        array = parts[f"leaf{floats[0]}"].copy().view(np.float32)
        array[:3] = np.nan
        parts[f"leaf{floats[0]}"] = array.view(np.uint8)

    rewrite(path, broken)
    assert "holds 3 NaN of" in refused(path)


@pytest.mark.parametrize("format", [1, 3, "2", None, [2]])
def test_a_snapshot_of_another_version_says_how_to_go_on(path, format):
    rewrite(path, lambda head, parts: head.update(format=format))
    line = refused(path)
    assert "another version" in line and "remove it, and the same command starts" in line


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"hello", b"[" * 100_000, bytes(1000)], ids=lambda data: str(data[:5])
)
def test_what_is_no_snapshot_says_how_to_go_on(path, data):
    path.write_bytes(data)
    assert "is no saved tracker" in refused(path) and "remove it" in refused(path)


def test_a_missing_snapshot_is_named(tmp_path):
    assert "No such file" in refused(tmp_path / "none.npz")


def test_a_snapshot_without_objects_may_not_claim_a_huge_memory(tmp_path):
    path = tmp_path / "empty.npz"
    Tracker(MODEL).save(path)
    rewrite(path, books(max_mem_frames=NEVER))
    rewrite(path, memory(capacity=10**9))
    assert "memory.capacity" in refused(path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_flipped_and_cut_snapshots_are_read_right_or_refused(path, saved, where, bit, cut):
    data, _ = saved
    at = int(where * len(data))
    flipped = bytes([data[at] ^ 1 << bit])
    path.write_bytes(data[:at] if cut else data[:at] + flipped + data[at + 1 :])
    try:
        restored = Tracker.restore(path, MODEL).state
    except InputError as error:
        assert str(path) in str(error) or "does not fit" in str(error)
        return
    path.write_bytes(data)
    whole = Tracker.restore(path, MODEL).state
    jax.tree.map(np.testing.assert_array_equal, restored.network, whole.network)
    assert restored.books == whole.books
