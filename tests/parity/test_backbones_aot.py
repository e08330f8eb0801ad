"""Encoders give aot-benchmark's maps; Swin-B at sizes that need padding."""

import json

import jax
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax import backbones

LIMIT = 2e-4  # the goldens' own: ten times the float32 noise of this set's encoders
FILES = {
    "aot/encoder_swinb_aotl_97x129.npz": "swin:b",
    "aot/encoder_swinb_aotl_129x161.npz": "swin:b",
    "aot/encoder_rs101_aotl_97x129.npz": "resnest:101",
    "aot/encoder_r101_aotl_97x129.npz": "resnet:101",
}
SLOW = ("aot/encoder_swinb_aotl_129x161.npz", "aot/encoder_r101_aotl_97x129.npz")


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in FILES],
)
def case(request):
    """(our maps, the golden's) of one frame."""
    arrays = goldens.arrays(request.param)
    meta = json.loads(str(arrays["meta"]))
    recipe = goldens.module("recipe.py")
    state = recipe.build_state_dict(
        goldens.manifest(f"aot/{meta['model']}.manifest.json"), meta["seed"]
    )
    backbone = backbones.build(FILES[request.param])
    params = goldens.parameters(backbone.names("", "encoder."), state)
    frame = goldens.arrays(f"aot/{meta['clip']}")["frames"][meta["frame"]].transpose(1, 2, 0)
    maps = jax.jit(backbone.module.apply)({"params": params}, frame[None])
    return maps, arrays


@pytest.mark.parametrize(
    "ours, theirs", [("f4", "f4"), ("f8", "f8"), ("f16", "f16"), ("deep", "last")]
)
def test_maps_are_the_references(case, ours, theirs):
    maps, arrays = case
    got, want = np.asarray(getattr(maps, ours)[0]), arrays[f"enc/{theirs}"]
    got = got[..., :: max(1, got.shape[-1] // 64)].transpose(2, 0, 1)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= LIMIT
