"""Matching networks: memory since an object appeared, the last frame, sizes, padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.layers.objects import aggregate, crop, others, pad, paste
from vosjax.models import matching
from vosjax.models.matching import MatchingFamily, MatchingFeatures, grid
from vosjax.types import UNUSED_LOGIT, Size, Spec, When

HEIGHT, WIDTH, OBJECTS = 30, 45, 3


def pooled(maps):
    """[..., 16 h, 16 w] -> [..., h, w]."""
    *lead, height, width = maps.shape
    return maps.reshape(*lead, height // 16, 16, width // 16, 16).mean((-3, -1))


def family(**changes):
    """Matches mean colours of 16x16 patches; an object's value is its share of the patch."""

    def encode(params, frame):
        key = pooled(pad(frame).transpose(2, 0, 1)).reshape(3, -1).T
        return MatchingFeatures(params * key[:, None], None, Size(*frame.shape[:2]))

    def decode(params, features, readout, live, together):
        shares = readout[..., 0].T.reshape(-1, *grid(*features.size))
        return jnp.repeat(jnp.repeat(shares, 16, 1), 16, 2)

    def memorise(params, features, masks, live, together):
        return features.query, pooled(masks).reshape(len(masks), -1).T[..., None]

    return MatchingFamily(
        encode, decode, memorise, lambda features: features.query, "l2", 3, 1, False, True
    )._replace(**changes)


@functools.lru_cache
def network(*, last_frame=False, top_k=2, kernel=None, max_short_side=480, **changes):
    return matching.build(
        family(**changes),
        top_k=top_k,
        kernel=kernel,
        last_frame=last_frame,
        max_short_side=max_short_side,
    )


PARAMS = jnp.float32(20)


def frames(count, seed=0):
    return jax.random.uniform(jax.random.PRNGKey(seed), (count, HEIGHT, WIDTH, 3))


def masks(*objects, slots=OBJECTS):
    """One-hot probabilities [N+1, H, W]: object n fills the n-th band of columns."""
    labels = np.zeros((HEIGHT, WIDTH), int)
    for slot in objects:
        labels[:, 15 * slot - 15 : 15 * slot] = slot
    return jnp.asarray(labels == np.arange(slots + 1)[:, None, None], jnp.float32)


def slots_given(*objects, slots=OBJECTS):
    return jnp.isin(jnp.arange(1, slots + 1), jnp.array(objects))


@functools.lru_cache
def program(vos):
    """One frame; its probabilities are given where it is annotated, predicted elsewhere."""

    @jax.jit
    def step(state, frame, probs, slots, when):
        logits, aux = vos.predict(PARAMS, state, vos.encode(PARAMS, frame))
        fed = jnp.where(when.annotated, probs, jax.nn.softmax(logits, 0))
        return vos.commit(PARAMS, state, aux, fed, slots, when), logits

    return step


def run(vos, clip, prompts, *, gap=1, capacity=4, slots=OBJECTS):
    """prompts {t: slots}; the states and logits after every frame from the first prompt on."""
    state = vos.init(PARAMS, Spec(HEIGHT, WIDTH, slots, capacity))
    states, answers, last = [], [], min(prompts)
    for time in range(min(prompts), len(clip)):
        marked, annotated = prompts.get(time, ()), time in prompts
        remember = annotated or time - last >= gap
        last = time if remember else last
        when = When(jnp.array(annotated), jnp.array(remember), jnp.int32(time))
        state, logits = program(vos)(
            state, clip[time], masks(*marked, slots=slots), slots_given(*marked, slots=slots), when
        )
        states.append(state)
        answers.append(np.asarray(logits))
    return states, answers


def held(state):
    """The times of the frames in memory."""
    return sorted(np.asarray(state.bank.time)[np.asarray(state.bank.valid)].tolist())


def test_before_any_object_everything_is_background():
    vos = network()
    state = vos.init(PARAMS, Spec(HEIGHT, WIDTH, OBJECTS, 2))
    logits, _ = vos.predict(PARAMS, state, vos.encode(PARAMS, frames(1)[0]))
    assert logits.shape == (OBJECTS + 1, HEIGHT, WIDTH)
    assert np.all(logits[1:] == np.float32(UNUSED_LOGIT)) and np.all(logits[0] > 0)


def test_an_object_reads_only_what_was_remembered_since_it_came():
    clip = frames(5)
    _, both = run(network(), clip, {0: (1,), 2: (2,)})
    _, alone = run(network(), clip, {2: (2,)})
    np.testing.assert_allclose(both[3][2], alone[1][2], atol=1e-4)
    _, from_start = run(network(), clip, {0: (1, 2)})
    assert np.abs(both[3][2] - from_start[3][2]).max() > 0.1


def test_slots_that_nobody_has_given_change_nothing():
    wide, narrow = (run(network(), frames(4), {0: (1, 2)}, slots=slots)[1] for slots in (3, 2))
    for one, other in zip(wide, narrow):
        np.testing.assert_allclose(one[:3], other, atol=1e-4)


def test_remembered_frames_stay_and_others_do_not():
    states, _ = run(network(), frames(6), {0: (1,)}, gap=2)
    assert [held(state) for state in states] == [[0], [0], [0, 2], [0, 2], [0, 2, 4], [0, 2, 4]]


def test_the_last_frame_stays_until_the_next_is_committed():
    states, _ = run(network(last_frame=True), frames(6), {0: (1,)}, gap=3)
    assert [held(state) for state in states] == [[0], [0, 1], [0, 2], [0, 3], [0, 3, 4], [0, 3, 5]]


def test_the_last_frame_takes_no_room_of_remembered_ones():
    states, _ = run(network(last_frame=True), frames(6), {0: (1,)}, gap=2, capacity=3)
    assert held(states[-1]) == [0, 2, 4, 5]


def test_a_full_memory_keeps_annotated_frames_and_the_newest():
    states, _ = run(network(), frames(8), {0: (1,), 3: (2,)}, capacity=3)
    assert held(states[-1]) == [0, 3, 7]


def test_a_state_without_objects_remembers_nothing():
    states, _ = run(network(last_frame=True), frames(2), {0: ()})
    assert held(states[-1]) == []


def test_given_masks_are_aggregated_only_where_the_family_says_so():
    overlapping = jnp.full((OBJECTS + 1, HEIGHT, WIDTH), 0.4).at[0].set(0)
    yes = jnp.array(True)
    for soft in (True, False):
        vos = network(soft_given=soft)
        state = vos.init(PARAMS, Spec(HEIGHT, WIDTH, OBJECTS, 1))
        _, aux = vos.predict(PARAMS, state, vos.encode(PARAMS, frames(1)[0]))
        state = vos.commit(
            PARAMS, state, aux, overlapping, slots_given(1, 2, 3), When(yes, yes, jnp.int32(0))
        )
        value = float(state.bank.data.value[0, 1, 0, 0])
        inside = float(jax.nn.softmax(aggregate(jnp.full(3, 0.4), jnp.ones(3, bool)))[1])
        assert value == pytest.approx(inside if soft else 0.4 * 15 / 16, abs=0.05)
        assert (abs(value - 0.4) < 0.03) == (not soft)


def test_state_bytes_do_not_change():
    states, _ = run(network(last_frame=True), frames(6), {0: (1,), 3: (2,)}, capacity=2)
    shapes = [jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state) for state in states]
    assert all(shape == shapes[0] for shape in shapes)


def test_a_kernel_keeps_reads_near_their_own_place():
    clip = jnp.broadcast_to(jnp.array(0.5), (2, HEIGHT, WIDTH, 3))  # all places look alike
    near = run(network(top_k=None, kernel=0.4), clip, {0: (1,)})[1][1][1]
    everywhere = run(network(top_k=None), clip, {0: (1,)})[1][1][1]
    assert np.ptp(near) > 1 > np.ptp(everywhere[3:-3, 3:-3])


@pytest.mark.parametrize(
    "sides, scale, expected",
    [
        ((480, 854), 1.0, (480, 854)),
        ((1080, 1920), 1.0, (480, 853)),
        ((1920, 1080), 1.0, (853, 480)),
        ((100, 150), 1.0, (100, 150)),
        ((480, 854), 1.25, (600, 1067)),
        ((720, 720), 1.0, (480, 480)),
    ],
)
def test_size_limits_the_short_side(sides, scale, expected):
    assert network().size(*sides, scale) == expected
    assert network(max_short_side=None).size(*sides) == sides


@pytest.mark.parametrize("objects, capacity", [(0, 1), (1, 0)])
def test_specs_without_room_are_refused(objects, capacity):
    with pytest.raises(ValueError, match="at least one of each"):
        network().init(PARAMS, Spec(HEIGHT, WIDTH, objects, capacity))


@pytest.mark.parametrize("height, width", [(30, 45), (32, 48), (17, 31)])
def test_padding_is_shared_between_both_sides_and_crop_undoes_it(height, width):
    maps = np.arange(2.0 * height * width).reshape(2, height, width)
    padded = pad(jnp.asarray(maps), first=1)
    assert padded.shape[1:] == tuple(16 * side for side in grid(height, width))
    np.testing.assert_array_equal(crop(padded, height, width), maps)
    np.testing.assert_array_equal(paste(jnp.zeros_like(padded), jnp.asarray(maps)), padded)
    before = (-height % 16) // 2
    assert not padded[:, :before].any() and padded[:, before].any()


def test_others_are_the_sum_of_the_rest():
    np.testing.assert_allclose(others(jnp.array([1.0, 2.0, 4.0])), [6, 5, 3])
