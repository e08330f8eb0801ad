"""Views: sizes by the reference's rule, own memories, averaged at the user's size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy

from vosjax.compose import combinators, views
from vosjax.models.aot.size import network_size
from vosjax.tracking.step import MemoryClock, step
from vosjax.types import Prompt, Spec

SIZE = (32, 48)


def play(vos, params, frames, labels):
    """Probabilities of every frame; the first is annotated."""
    go = jax.jit(lambda state, frame, prompt, clock: step(vos, params, state, frame, prompt, clock))
    state = jax.jit(vos.init, static_argnums=1)(params, Spec(*SIZE, 4, 4))
    clock, probs = MemoryClock(*np.int32([0, 0, 2])), []
    for index, frame in enumerate(frames):
        prompt = Prompt(labels * (index == 0), (jnp.arange(1, 5) == 1) & (index == 0))
        answer = go(state, frame, prompt, clock)
        state, clock = answer.state, answer.clock
        probs.append(answer.probs)
    return jnp.stack(probs)


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    frames = jnp.asarray(rng.random((4, *SIZE, 3)), jnp.float32)
    labels = jnp.zeros(SIZE, jnp.int32).at[8:24, 8:24].set(1)
    return frames, labels


@pytest.fixture(scope="module")
def pair(scene):
    model = toy.model()
    return play(views.mirrored(model.model.vos), model.params, *scene)


def test_a_pair_in_one_batch_is_the_ensemble_of_a_network_and_its_mirror(pair, scene):
    model = toy.model()
    vos = model.model.vos
    two = play(combinators.ensemble([vos, combinators.flip(vos)]), (model.params,) * 2, *scene)
    np.testing.assert_allclose(pair, two, atol=1e-5)


def test_views_of_a_mirrored_video_are_the_mirrored_views(pair, scene):
    model, (frames, labels) = toy.model(), scene
    vos = views.views(model.model.vos, flip=True)
    mirror = play(vos, model.params, frames[:, :, ::-1], labels[:, ::-1])
    np.testing.assert_allclose(pair, mirror[..., ::-1], atol=1e-5)


def test_scales_see_sizes_of_their_own_and_answer_at_the_users():
    seen = []
    vos = toy.model().model.vos

    def encode(params, frame, rng=None):
        seen.append(frame.shape[:2])
        return vos.encode(params, frame, rng)

    whole = views.views(vos._replace(encode=encode), scales=(1.0, 1.5))
    params = toy.model().params
    assert whole.size(37, 51) == (37, 51)
    logits = jax.eval_shape(
        lambda frame: whole.predict(
            params, whole.init(params, Spec(37, 51, 4, 2)), whole.encode(params, frame)
        )[0],
        jnp.zeros((37, 51, 3)),
    )
    assert seen == [(40, 48), (56, 80)] and logits.shape == (5, 37, 51)


@pytest.mark.parametrize("frame", [(720, 1280), (480, 854)])
def test_multi_scale_sizes_are_those_of_the_paper_s_entry(frame):
    def size(height, width, scale=1.0):
        return network_size(height, width, scale, aligned=True, max_long_side=1040)

    vos = toy.model().model.vos._replace(size=size)
    assert [views.size_rule(vos, scale, 480)(*frame) for scale in (1.2, 1.3, 1.4)] == [
        (545, 961),
        (577, 1041),
        (625, 1121),
    ]


def test_an_empty_list_of_scales_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        views.views(toy.model().model.vos, scales=())
