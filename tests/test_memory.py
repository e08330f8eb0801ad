"""The ring bank: which entries are kept, which are replaced, and which are released."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax import memory

ENTRY = {"k": jnp.zeros(2), "v": jnp.zeros((1, 3))}


def entry(time):
    return {"k": jnp.full(2, time, float), "v": jnp.full((1, 3), 10.0 * time)}


@jax.jit
def put(bank, time, pin, when):
    return memory.write(bank, entry(time), time=time, when=when, pin=pin)


def filled(capacity, frames, pinned=()):
    bank = memory.init(ENTRY, capacity)
    for time in range(frames):
        bank = put(bank, time, time in pinned, True)
    return bank


def times(bank):
    return sorted(np.asarray(bank.time)[np.asarray(bank.valid)].tolist())


def test_a_new_bank_is_empty():
    assert not memory.init(ENTRY, 3).valid.any()


def test_slots_fill_from_the_first_one_on():
    assert filled(4, 2).valid.tolist() == [True, True, False, False]
    assert filled(4, 2).time.tolist()[:2] == [0, 1]


def test_data_stand_where_their_time_says():
    bank = filled(3, 5)
    np.testing.assert_array_equal(bank.data["k"][:, 0], bank.time)
    np.testing.assert_array_equal(bank.data["v"][:, 0, 0], 10 * bank.time)


def test_the_oldest_makes_room():
    assert times(filled(3, 7)) == [4, 5, 6]


def test_pinned_frames_stay():
    assert times(filled(3, 7, pinned=(0,))) == [0, 5, 6]


def test_writing_can_be_withheld():
    bank = put(filled(3, 2), 2, False, False)
    assert times(bank) == [0, 1] and bank.valid.sum() == 2


def test_a_frame_finds_no_place_among_pinned_ones():
    assert times(put(filled(2, 2, pinned=(0, 1)), 2, False, True)) == [0, 1]


def test_an_annotated_frame_replaces_the_oldest_of_a_bank_of_pinned_ones():
    assert times(put(filled(2, 2, pinned=(0, 1)), 2, True, True)) == [1, 2]


def test_a_frame_that_is_unpinned_makes_room_like_any_other():
    bank = memory.unpin(filled(3, 3, pinned=(0, 1)), jnp.array([1, -1, -1]))
    assert bank.pinned.tolist() == [False, True, False]
    assert times(put(put(bank, 3, False, True), 4, False, True)) == [1, 3, 4]


def test_a_dropped_slot_is_the_next_to_be_filled():
    bank = memory.drop(filled(4, 4, pinned=(1,)), jnp.array([False, True, True, False]))
    assert times(bank) == [0, 3] and not bank.pinned.any()
    bank = put(bank, 7, False, True)
    assert times(bank) == [0, 3, 7] and int(bank.time[1]) == 7


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=14))
def test_the_bank_is_the_list_that_a_user_would_keep(frames):
    bank, kept = memory.init(ENTRY, 3), []
    for time, (pin, when) in enumerate(frames):
        bank = put(bank, time, pin, when)
        if not when:
            continue
        if len(kept) == 3:
            loose = [item for item in kept if not item[1]]
            if not loose and not pin:
                continue
            kept.remove((loose or kept)[0])
        kept.append((time, pin))
    assert times(bank) == [time for time, _ in kept]
    held = dict(kept)
    assert all(bool(bank.pinned[i]) == held[int(bank.time[i])] for i in range(len(kept)))
