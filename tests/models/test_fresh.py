"""Fresh weights of the matching networks: maps keep the image's scale, and masks matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax import models
from vosjax.memory.affinity import affinity
from vosjax.types import Spec, When

SIZE = 64
METRIC = {"stcn": "l2", "famnet": "dot"}


@pytest.fixture(scope="module", params=METRIC)
def seen(request):
    """A fresh network's features of a picture, and its memory with and without a mask."""
    vos, fresh = models.build(request.param)[:2]
    when = When(np.True_, np.True_, np.int32(0))
    cells = jax.random.uniform(jax.random.key(1), (8, 8, 3))
    picture = jnp.repeat(jnp.repeat(cells, SIZE // 8, 0), SIZE // 8, 1)
    masks = jnp.zeros((2, SIZE, SIZE)).at[1, 16:48, 16:48].set(1).at[0].set(1)
    masks = masks.at[0].add(-masks[1])

    @jax.jit
    def look():
        params = fresh(jax.random.key(0))
        features = vos.encode(params, picture)
        state = vos.init(params, Spec(SIZE, SIZE, 1, 1))
        _, aux = vos.predict(params, state, features)
        banks = [
            vos.commit(params, state, aux, probs, jnp.array([True]), when).bank.data
            for probs in (masks, jnp.zeros_like(masks).at[0].set(1))
        ]
        return features, banks

    return (request.param, *look())


def test_maps_are_about_as_large_as_the_image(seen):
    _, features, _ = seen
    assert 0.3 < features.maps.f4.std() < 3 and 0.3 < features.maps.f8.std() < 3


def test_a_mask_changes_its_values(seen):
    _, _, (with_mask, without) = seen
    inside = np.zeros((4, 4), bool)
    inside[1:3, 1:3] = True
    change = np.abs(with_mask.value - without.value)[0, :, 0].mean(-1)
    assert change[inside.ravel()].mean() > 0.1 * np.std(without.value)


def test_a_picture_finds_its_own_places(seen):
    family, features, (_, without) = seen
    nearest = affinity(features.query, without.key[0], METRIC[family])[0].argmax(-1)
    assert (nearest == np.arange(16)).mean() > 0.5
