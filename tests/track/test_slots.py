"""The tracker's books: ids and slots, what the memory holds, and which slots may be used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vosjax.schema import NEVER
from vosjax.tracking.slots import MemoryCounters, ObjectSlots, release, to_ids, to_slots


@given(hnp.arrays(np.uint8, (3, 4)), st.randoms())
@settings(deadline=None)
def test_ids_to_slots_and_back_is_the_identity(labels, random):
    ids = [int(id) for id in np.unique(labels) if id]
    random.shuffle(ids)
    ids = np.array([0, *ids, 0, 0], np.uint8)  # two slots hold nothing
    slots, marked = to_slots(labels, ids)
    assert slots.dtype == np.int32 and marked.tolist() == [id > 0 for id in ids[1:]]
    np.testing.assert_array_equal(to_ids(slots, ids), labels)


def test_only_the_slots_that_pixels_show_are_given():
    slots, marked = to_slots(np.uint8([[0, 7], [7, 0]]), [0, 9, 7])
    assert slots.tolist() == [[0, 2], [2, 0]] and marked.tolist() == [False, True]


def test_an_id_without_a_slot_is_an_error():
    with pytest.raises(ValueError, match=r"\[9\] have no slot; known are \[3\]"):
        to_slots(np.uint8([[3, 9]]), [0, 3, 0])


def books(group=2, groups=1):
    """Object 5 in slot 1 since frame 0, object 6 in slot 2 for the frames 2 to 4."""
    objects = ObjectSlots.empty(group, groups)
    objects.put(5, 1, time=0)
    objects.put(6, 2, time=2)
    objects.remove(6, time=5)
    return objects


def test_a_slot_knows_from_when_to_when_it_held_its_object():
    objects = books()
    assert objects.followed == {5: 1} and objects.freed == [2]
    assert objects.first == [0, 0, 2] and objects.last == [-1, NEVER, 4]


def test_slots_that_were_never_used_come_first():
    objects = ObjectSlots.empty(2, 1)
    assert objects.never_used() == 1
    objects.put(5, 1, time=0)
    objects.remove(5, time=1)
    assert objects.never_used() == 2
    objects.put(6, 2, time=1)
    assert objects.never_used() is None
    objects.add_group()
    assert objects.never_used() == 3 and objects.groups == 2


def test_a_slot_that_is_used_again_is_no_longer_freed():
    objects = books()
    objects.put(7, 2, time=9)
    assert objects.freed == [] and objects.followed == {5: 1, 7: 2}
    assert (objects.first[2], objects.last[2]) == (9, NEVER)


@pytest.mark.parametrize(
    "filled, annotated, limit, needed",
    [(3, 0, 8, 4), (4, 0, 8, 8), (4, 0, 6, 6), (4, 0, 4, 4), (4, 4, 4, 8), (4, 3, 4, 4)],
)
def test_a_full_memory_grows_to_the_limit_and_beyond_it_for_annotated_frames(
    filled, annotated, limit, needed
):
    memory = MemoryCounters(4, filled, 0, {time: [1] for time in range(annotated)})
    assert memory.needed(limit) == needed


def test_an_annotated_frame_counts_until_all_its_objects_are_gone():
    memory = MemoryCounters(4)
    memory.remember(0, [1, 2])
    memory.remember(5, [])
    memory.remember(7, [2])
    assert (memory.filled, memory.last, memory.annotated) == (3, 7, {0: [1, 2], 7: [2]})
    memory.forget(2)
    assert memory.annotated == {0: [1]}
    memory.forget(1)
    assert memory.annotated == {} and memory.filled == 3


def test_the_network_is_told_what_is_followed_and_which_frames_count():
    memory = MemoryCounters(3)
    memory.remember(0, [1])
    gone = release(books(), memory, reclaim=2)
    assert gone.followed.tolist() == [True, False] and gone.reclaim.tolist() == [False, True]
    assert gone.first.tolist() == [0, 2] and gone.last.tolist() == [NEVER, 4]
    assert gone.annotated.tolist() == [0, -1, -1]
    assert not release(books(), memory).reclaim.any()
