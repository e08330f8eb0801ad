"""Objects that come and go for ever: the state stays as it is, and nobody is taken for another.

A scene of rounds. A square that is followed all along moves up and down on the left. In every
round another square of another colour appears, is followed for two rounds, and stays to be seen
for a third, in which its slot may already belong to the next one.
"""

from typing import NamedTuple

import numpy as np
import pytest
from support import toy
from support.clips import COLOURS

from vosjax import Tracker, load
from vosjax.types import slots_used_once

FOLLOWED, SEEN = 2, 3  # rounds


class Scene(NamedTuple):
    """frames [T, H, W, 3]; labels [T, H, W]: 1 the lasting square, 2 + k that of round k."""

    frames: np.ndarray
    labels: np.ndarray
    length: int  # frames of a round


def scene(*, rounds, length, height, width, side):
    labels = np.zeros((rounds * length, height, width), np.int32)
    corners = (0, width - side), (height - side, 0), (height - side, width - side)
    for t in range(len(labels)):
        down = abs(t % 16 - 8) // 2
        labels[t, down : down + side, :side] = 1
        for k in range(max(t // length + 1 - SEEN, 0), t // length + 1):
            row, column = corners[k % len(corners)]
            moved = min((t - k * length) // 2, height - side)
            row += moved if row == 0 else -moved
            labels[t, row : row + side, column : column + side] = 2 + k
    colours = np.concatenate([COLOURS[:2], np.tile(COLOURS[2:12], (rounds // 10 + 1, 1))])
    return Scene(colours[labels], labels, length)


class Story(NamedTuple):
    """What a tracker made of a scene.

    labels    of every frame
    lasting   IoU of the lasting square, in frames without marks
    newest    IoU of the newest square there
    confused  share of a removed square's pixels that the newest one took, there
    sizes     (state bytes, traces, Spec) after every frame
    """

    labels: np.ndarray
    lasting: np.ndarray
    newest: np.ndarray
    confused: np.ndarray
    sizes: list


def iou(mask, truth):
    return (mask & truth).sum() / max((mask | truth).sum(), 1)


def follow(tracker, scene):
    """Ids go around, so that an id comes back as another object."""
    labels, lasting, newest, confused, sizes = [], [], [], [], []
    for t, (frame, truth) in enumerate(zip(scene.frames, scene.labels)):
        k, since = divmod(t, scene.length)
        id, marks = 2 + k % 200, None
        if since == 0:
            if k >= FOLLOWED:
                tracker.remove(2 + (k - FOLLOWED) % 200)
            marks = np.where(truth == 2 + k, id, 0)
            marks = np.where(truth == 1, 1, marks) if t == 0 else marks
        labels.append(tracker.step(frame, marks).labels)
        sizes.append((tracker.state_bytes, tracker.traces, tracker.spec))
        if since:
            lasting.append(iou(labels[-1] == 1, truth == 1))
            newest.append(iou(labels[-1] == id, truth == 2 + k))
            removed = truth == 2 + k - FOLLOWED
            confused.append((labels[-1] == id)[removed].mean() if removed.any() else 0)
    return Story(np.array(labels), *map(np.array, (lasting, newest, confused)), sizes)


TOY = dict(height=48, width=64, side=16, length=3)


@pytest.fixture(scope="module")
def long():
    """200 rounds of the toy, which has three slots, all of them in use at a time."""
    tracker = Tracker(toy.model(slots=3), objects=3, mem_every=2, capacity=8, max_mem_frames=8)
    return follow(tracker, scene(rounds=200, **TOY))


def test_two_hundred_rounds_take_the_state_and_program_of_the_first_frame(long):
    assert set(long.sizes) == {long.sizes[0]}
    assert long.sizes[0][1] == 1 and long.sizes[0][2].objects == 3


def test_nobody_is_taken_for_another(long):
    assert long.confused.max() < 0.01
    assert long.newest.mean() > 0.75 and long.newest[-100:].mean() > 0.75
    assert long.lasting[-100:].mean() > 0.7


def test_a_slot_that_is_used_again_is_as_one_that_never_was(long):
    """The same masks, to the pixel, as with a slot for each of the 201 objects."""
    story = follow(
        Tracker(toy.model(slots=250), objects=250, mem_every=2, capacity=8, max_mem_frames=8),
        scene(rounds=30, **TOY),
    )
    np.testing.assert_array_equal(story.labels, long.labels[: len(story.labels)])


def test_slots_in_groups_are_used_again_too():
    tracker = Tracker(toy.model(slots=1), objects=3, mem_every=2, capacity=8, max_mem_frames=8)
    story = follow(tracker, scene(rounds=20, **TOY))
    assert set(story.sizes) == {story.sizes[0]} and story.sizes[0][2].objects == 3
    assert story.newest.mean() > 0.75


def test_a_network_that_forgets_nothing_takes_a_new_group():
    model = toy.model(slots=3)
    once = model.model._replace(vos=model.model.vos._replace(forget=slots_used_once))
    tracker = Tracker(
        model._replace(model=once), objects=3, mem_every=2, capacity=8, max_mem_frames=8
    )
    story = follow(tracker, scene(rounds=6, **TOY))
    assert story.sizes[-1][2].objects == 9  # of eight objects in all


@pytest.mark.slow
def test_the_embedded_default_takes_two_hundred_rounds_too():
    """Its objects share one memory of few identities: those of removed ones come back."""
    tracker = Tracker(load(), mem_every=2, capacity=8, max_mem_frames=8)
    rounds = scene(rounds=200, length=2, height=96, width=128, side=32)
    story = follow(tracker, rounds)
    assert set(story.sizes) == {story.sizes[0]} and story.sizes[0][1] == 1
    assert story.sizes[0][2].objects == tracker.model.model.vos.slots < 200
    assert story.confused.max() < 0.05
    for ious in (story.lasting, story.newest):
        assert ious.mean() > 0.85 and ious[-50:].mean() > 0.85


def test_identities_that_annotated_frames_hold_are_left_to_them():
    """Two objects given in one frame, one of them removed: another group opens, once."""
    model = load()
    slots = model.model.vos.slots
    tracker = Tracker(model, objects=slots, mem_every=1, capacity=4, max_mem_frames=4)
    rounds = scene(rounds=6, length=2, height=64, width=96, side=24)
    first = np.zeros((64, 96), np.uint8)
    first[:40, :24] = 1
    for n in range(1, slots):  # all slots, in the first frame
        first[60:, 8 * n : 8 * n + 8] = 10 + n
    tracker.step(rounds.frames[0], first)
    for n in range(1, slots):
        tracker.remove(10 + n)
    opened = []
    for k in range(5):
        tracker.step(rounds.frames[2 * k], np.where(rounds.labels[2 * k] == 2 + k, 100 + k, 0))
        tracker.step(rounds.frames[2 * k + 1])
        tracker.remove(100 + k)
        opened.append(tracker.spec.objects // slots)
    assert opened == [2] * 5 and tracker.objects == [1]
