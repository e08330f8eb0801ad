"""Encoders give torchvision's maps, within ten times the reference's own float32 noise."""

import jax
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax import backbones

SLOW = ("resnext101_32x8d", "efficientnet_b3", "efficientnet_b4")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in goldens.PUBLISHED
    ],
)
def case(request):
    """(maps of every size of the golden as we compute them, the golden's arrays)."""
    arrays = goldens.arrays(f"backbones/{request.param}.npz")
    backbone = backbones.build(goldens.PUBLISHED[request.param])
    params = goldens.parameters(backbone.names("", ""), goldens.classifier(request.param))
    module = backbone.module
    if "efficientnet" in request.param:
        module = module.clone(dilate=False)  # the classifier's own strides, so that `deep` is f32
    apply = jax.jit(lambda params, x: module.apply({"params": params}, x))
    sizes = sorted({name.split("/")[0] for name in arrays})
    return {size: apply(params, arrays[f"{size}/image"][None]) for size in sizes}, arrays


@pytest.mark.parametrize(
    "field, stride", [("f4", "f4"), ("f8", "f8"), ("f16", "f16"), ("deep", "f32")]
)
def test_maps_are_torchvisions(case, field, stride):
    ours, arrays = case
    for size, maps in ours.items():
        got, step = np.asarray(getattr(maps, field)[0]), arrays[f"{size}/{stride}/channel_step"]
        if field == "deep" and maps.deep.shape == maps.f16.shape:
            assert np.array_equal(maps.deep, maps.f16)  # ResNets end there
            continue
        want, noise = arrays[f"{size}/{stride}"], arrays[f"{size}/{stride}/noise"]
        assert got[..., ::step].shape == want.shape
        assert np.abs(got[..., ::step] - want).max() <= 10 * noise, size
