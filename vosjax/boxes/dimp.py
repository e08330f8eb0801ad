"""DiMP-50 as pure functions: ResNet-50, features for the target model, first filter, IoU network.

Bhat et al., "Learning Discriminative Model Prediction for Tracking" (ICCV 2019), with the settings
of the published `dimp50.pth`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.backbones.resnet import VARIANTS, ResNet
from vosjax.boxes import target_model
from vosjax.boxes.iou_net import IouFeatures, IouNet, Modulation, corners
from vosjax.boxes.names import names
from vosjax.layers.conv import conv
from vosjax.layers.norm import imagenet_normalise
from vosjax.layers.roi_pool import precise_roi_pool
from vosjax.names import Names

FAMILY = "dimp"  # in cards and configs
CROP = 288  # side of the crops in pixels
STRIDE = 16
SIDE = 4  # of the target model's filter
FEATURES = 512  # channels of the target model


class DimpFeatures(NamedTuple):
    """The encoded crops.

    f8      [n, 36, 36, 512]
    f16     [n, 18, 18, 1024]
    target  [n, 18, 18, 512], for the target model
    """

    f8: jax.Array
    f16: jax.Array
    target: jax.Array


class DimpNetwork(NamedTuple):
    """The parts of the network; boxes are float32 (x, y, w, h) in pixels of the crop.

    checkpoint_names  `names.Names`: the weights in the reference's checkpoint
    init_params(rng) -> params
        Random weights, but for the target model's, which have the values that training starts with.
    encode(params, crops) -> `DimpFeatures`
        crops float32 [n, 288, 288, 3] RGB in 0..1.
    first_filter(params, target, boxes) -> [4, 4, 512]
        From the features of n crops and their boxes [n, 4].
    modulation(params, features, box) -> `iou_net.Modulation`
        From the features of one crop, [1, ...], and its box [4].
    iou_features(params, features) -> `iou_net.IouFeatures`
        Of one crop.
    iou(params, iou_features, modulation, boxes) -> [R]
        The predicted IoU of boxes [R, 4], from -1 to 1.
    """

    checkpoint_names: Names
    init_params: Callable[[jax.Array], Any]
    encode: Callable[[Any, jax.Array], DimpFeatures]
    first_filter: Callable[[Any, jax.Array, jax.Array], jax.Array]
    modulation: Callable[[Any, DimpFeatures, jax.Array], Modulation]
    iou_features: Callable[[Any, DimpFeatures], IouFeatures]
    iou: Callable[[Any, IouFeatures, Modulation, jax.Array], jax.Array]


def build() -> DimpNetwork:
    """Builds DiMP-50: 26.1 M weights, of which 10.5 M are the IoU network's.

    network = build()
    """
    backbone, iou_net = ResNet(VARIANTS["50"]), IouNet()
    to_target, to_filter = conv(FEATURES, 3, bias=False), conv(FEATURES, 3)

    def encode(params: Any, crops: jax.Array) -> DimpFeatures:
        images = imagenet_normalise(crops)
        maps: Any = backbone.apply({"params": params["backbone"]}, images)
        target: Any = to_target.apply({"params": params["target_features"]}, maps.f16)
        return DimpFeatures(maps.f8, maps.f16, target_model.instance_norm(target, SIDE))

    def first_filter(params: Any, target: jax.Array, boxes: jax.Array) -> jax.Array:
        maps: Any = to_filter.apply({"params": params["first_filter"]}, target)
        pooled = jax.vmap(
            lambda crop, roi: precise_roi_pool(crop, roi[None], (SIDE, SIDE), 1 / STRIDE)[0]
        )(maps, corners(boxes))
        return pooled.mean(0)

    def part(params: Any, method: str, *args: Any) -> Any:
        return iou_net.apply({"params": params["iou_net"]}, *args, method=method)

    def modulation(params: Any, features: DimpFeatures, box: jax.Array) -> Any:
        return part(params, "modulation", features.f8[0], features.f16[0], box)

    def iou_features(params: Any, features: DimpFeatures) -> Any:
        return part(params, "encode", features.f8[0], features.f16[0])

    def iou(params: Any, maps: IouFeatures, modulation: Modulation, boxes: jax.Array) -> Any:
        return part(params, "predict", maps, modulation, boxes)

    def init_params(rng: jax.Array) -> dict[str, Any]:
        keys = jax.random.split(rng, 4)
        f8, f16, target = (jnp.zeros((2, 2, channels)) for channels in (512, 1024, FEATURES))
        return {
            "backbone": backbone.init(keys[0], jnp.zeros((1, 32, 32, 3)))["params"],
            "target_features": to_target.init(keys[1], f16)["params"],
            "first_filter": to_filter.init(keys[2], target)["params"],
            "target_model": target_model.initial_params(),
            "iou_net": iou_net.init(keys[3], f8, f16, jnp.ones(4), method="whole")["params"],
        }

    return DimpNetwork(names(), init_params, encode, first_filter, modulation, iou_features, iou)
