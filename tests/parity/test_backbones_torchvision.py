"""Encoders give torchvision's maps, within ten times the reference's own float32 noise."""

import backbone_goldens as goldens
import jax
import numpy as np
import pytest

from vosjax import backbones

ENCODERS = {
    "resnet18": "resnet:18",
    "resnet50": "resnet:50",
    "resnext50_32x4d": "resnet:resnext50_32x4d",
    "resnext101_32x8d": "resnet:resnext101_32x8d",
    "efficientnet_b0": "efficientnet:b0",
    "efficientnet_b3": "efficientnet:b3",
    "efficientnet_b4": "efficientnet:b4",
    "efficientnet_v2_s": "efficientnet:v2_s",
}
SLOW = ("resnext101_32x8d", "efficientnet_b3", "efficientnet_b4")


@pytest.fixture(scope="module",
                params=[pytest.param(n, marks=pytest.mark.slow if n in SLOW else ())
                        for n in ENCODERS])
def case(request):
    """(maps of every size of the golden as we compute them, the golden's arrays)."""
    arrays = goldens.arrays(f"backbones/{request.param}.npz")
    backbone = backbones.build(ENCODERS[request.param])
    params = goldens.parameters(backbone.names("", ""), goldens.classifier(request.param))
    apply = jax.jit(lambda params, x: backbone.module.apply({"params": params}, x))
    sizes = sorted({name.split("/")[0] for name in arrays})
    return {size: apply(params, arrays[f"{size}/image"][None]) for size in sizes}, arrays


@pytest.mark.parametrize("stride", ["f4", "f8", "f16"])
def test_maps_are_torchvisions(case, stride):
    ours, arrays = case
    for size, maps in ours.items():
        step = arrays[f"{size}/{stride}/channel_step"]
        want, noise = arrays[f"{size}/{stride}"], arrays[f"{size}/{stride}/noise"]
        got = np.asarray(getattr(maps, stride)[0])[..., ::step]
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= 10 * noise, (size, stride)
