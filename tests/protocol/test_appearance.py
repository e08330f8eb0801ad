"""`Vos.appearance`: one map at stride 16 whose middle is that of the frame, or None."""

import functools

import jax
import jax.numpy as jnp
import pytest
from support import toy

from vosjax import models
from vosjax.compose.combinators import ensemble, flip
from vosjax.compose.groups import groups

FAMILIES = {  # settings of a small network -> channels of its map
    "aot": (dict(encoder="mobilenet_v2"), 96),
    "deaot": (dict(encoder="resnet:50"), 1024),
    "stcn": ({}, 1024),
    "famnet": ({}, 512),
}


@functools.cache
def built(family):
    return models.build(family, **FAMILIES[family][0])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_a_map_at_stride_16(family):
    network = built(family)
    size = network.vos.size(120, 200)

    def run(rng):
        params = network.init_params(rng)
        return network.vos.appearance(network.vos.encode(params, jnp.zeros((*size, 3))))

    shape = jax.eval_shape(run, jax.random.PRNGKey(0)).shape
    assert shape == (-(-size[0] // 16), -(-size[1] // 16), FAMILIES[family][1])


def test_groups_share_it_and_what_changes_the_frame_has_none():
    vos = built("aot").vos
    assert groups(vos, 2).appearance is vos.appearance
    assert flip(vos).appearance is None
    assert ensemble([vos, vos]).appearance is None
    assert toy.vos().appearance is None
