"""EfficientNet-Lite against its public definition, written out in NumPy without our blocks.

The definition: MobileNetV2's inverted bottlenecks in seven stages (Tan and Le 2019), scaled in
width and depth, but (TPU models, efficientnet/lite) with 32 channels in the stem, one block in the
first and the last stage, no squeeze and excitation, ReLU6, batch norm with epsilon 1e-3, 'SAME'
padding, and pictures as (RGB - 127) / 128. Weights bear the names of the public PyTorch files.
"""

import math

import jax
import numpy as np
import pytest

from vosjax import backbones
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.paths import flatten, nest
from vosjax.errors import InputError

# (kernel, stride, expansion) of the seven stages; (channels, blocks) of each variant's stages
STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
VARIANTS = {
    "lite0": ((16, 1), (24, 2), (40, 2), (80, 3), (112, 3), (192, 4), (320, 1)),
    "lite1": ((16, 1), (24, 3), (40, 3), (80, 4), (112, 4), (192, 5), (320, 1)),
    "lite2": ((16, 1), (24, 3), (48, 3), (88, 4), (120, 4), (208, 5), (352, 1)),
    "lite3": ((24, 1), (32, 3), (48, 3), (96, 5), (136, 5), (232, 6), (384, 1)),
    "lite4": ((24, 1), (32, 4), (56, 4), (112, 6), (160, 6), (272, 8), (448, 1)),
}
STEM, HEAD, CLASSES = 32, 1280, 1000
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # ImageNet's


def blocks(variant):
    """(number, kernel, stride, expansion, channels in, channels out) of every block."""
    number, inputs = 0, STEM
    for (kernel, stride, expansion), (outputs, count) in zip(STAGES, VARIANTS[variant]):
        for block in range(count):
            yield number, kernel, stride if block == 0 else 1, expansion, inputs, outputs
            number, inputs = number + 1, outputs


def state_of(variant, seed=0):
    """Random weights by the names of the public files, all of them, [out, in, k, k]."""
    rng = np.random.default_rng(seed)
    state = {}

    def norm(key, channels):
        state[f"{key}.weight"] = rng.uniform(0.5, 1.5, channels)
        state[f"{key}.bias"] = rng.uniform(-0.5, 1.0, channels)
        state[f"{key}.running_mean"] = rng.normal(0, 0.3, channels)
        state[f"{key}.running_var"] = rng.uniform(0.5, 2.0, channels)
        state[f"{key}.num_batches_tracked"] = np.array(7)

    def conv(key, outputs, inputs, kernel):
        scale = math.sqrt(2 / (inputs * kernel * kernel))
        state[f"{key}.weight"] = rng.normal(0, scale, (outputs, inputs, kernel, kernel))

    conv("_conv_stem", STEM, 3, 3)
    norm("_bn0", STEM)
    for number, kernel, _, expansion, inputs, outputs in blocks(variant):
        key, inner = f"_blocks.{number}", inputs * expansion
        if expansion > 1:
            conv(f"{key}._expand_conv", inner, inputs, 1)
            norm(f"{key}._bn0", inner)
        conv(f"{key}._depthwise_conv", inner, 1, kernel)
        norm(f"{key}._bn1", inner)
        conv(f"{key}._project_conv", outputs, inner, 1)
        norm(f"{key}._bn2", outputs)
    last = VARIANTS[variant][-1][0]
    conv("_conv_head", HEAD, last, 1)
    norm("_bn1", HEAD)
    state["_fc.weight"] = rng.normal(0, 0.01, (CLASSES, HEAD))
    state["_fc.bias"] = np.zeros(CLASSES)
    return {key: value.astype(np.float32) if value.ndim else value for key, value in state.items()}


def same_padding(x, kernel, stride):
    """TensorFlow's: as many rows and columns as make ceil(n / stride), the odd one at the end."""
    widths = []
    for length in x.shape[:2]:
        total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
        widths.append((total // 2, total - total // 2))
    return np.pad(x, (*widths, (0, 0)))


def windows(x, kernel, stride):
    """[rows, columns, C, k, k] of a picture [H, W, C]."""
    padded = same_padding(x, kernel, stride)
    return np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (0, 1))[
        ::stride, ::stride
    ]


def reference(state, variant, rgb):
    """{stride: the last map of that stride} of a picture [H, W, 3] in 0..255, in float64."""

    def conv(key, x, kernel, stride):
        return np.einsum("hwcij,ocij->hwo", windows(x, kernel, stride), state[f"{key}.weight"])

    def depthwise(key, x, kernel, stride):
        weight = state[f"{key}.weight"][:, 0]
        return np.einsum("hwcij,cij->hwc", windows(x, kernel, stride), weight)

    def norm(key, x):
        deviation = np.sqrt(state[f"{key}.running_var"].astype(np.float64) + 1e-3)
        x = (x - state[f"{key}.running_mean"]) / deviation
        return x * state[f"{key}.weight"] + state[f"{key}.bias"]

    def relu6(x):
        return np.clip(x, 0, 6)

    x = (rgb.astype(np.float64) - 127) / 128
    x = relu6(norm("_bn0", conv("_conv_stem", x, 3, 2)))
    reached, maps = 2, {}
    for number, kernel, stride, expansion, inputs, outputs in blocks(variant):
        key, before = f"_blocks.{number}", x
        if expansion > 1:
            x = relu6(norm(f"{key}._bn0", conv(f"{key}._expand_conv", x, 1, 1)))
        x = relu6(norm(f"{key}._bn1", depthwise(f"{key}._depthwise_conv", x, kernel, stride)))
        x = norm(f"{key}._bn2", conv(f"{key}._project_conv", x, 1, 1))
        if stride == 1 and inputs == outputs:
            x = x + before
        reached *= stride
        maps[reached] = x
    return maps


def converted(variant, state):
    """Our encoder with the weights of a public file, all names and shapes checked."""
    backbone = backbones.build(f"efficientnet:{variant}")
    picture = np.zeros((1, 65, 65, 3), np.float32)
    shapes = jax.eval_shape(backbone.module.init, jax.random.key(0), picture)["params"]
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in flatten(shapes).items()}
    flat = convert(state, backbones.imagenet_names(backbone), expected=expected)
    assert flat.keys() == expected.keys()
    return backbone, nest(flat)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_names_and_shapes_are_those_of_the_public_files(variant):
    state = state_of(variant)
    converted(variant, state)
    del state["_blocks.3._bn2.running_var"]
    with pytest.raises(InputError, match="1 missing: _blocks.3._bn2.running_var"):
        converted(variant, state)


@pytest.mark.parametrize(
    "variant", [*("lite0", "lite2"), pytest.param("lite4", marks=pytest.mark.slow)]
)
def test_maps_are_those_of_the_public_definition(variant):
    state = state_of(variant)
    backbone, params = converted(variant, state)
    rgb = np.random.default_rng(1).integers(0, 256, (65, 97, 3))  # 32 k + 1
    images = ((rgb / 255 - MEAN) / STD).astype(np.float32)[None]
    module = backbone.module.clone(dilate=False)  # the classifier's own strides: `deep` is at 32
    maps = jax.jit(lambda params: module.apply({"params": params}, images))(params)
    expected = reference(state, variant, rgb)
    for stride, ours in ((4, maps.f4), (8, maps.f8), (16, maps.f16), (32, maps.deep)):
        theirs = expected[stride]
        assert ours.shape[1:] == theirs.shape
        assert np.abs(ours[0] - theirs).max() <= 2e-5 * np.abs(theirs).max(), stride


def test_up_to_stride_16_dilation_changes_nothing():
    state = state_of("lite0")
    backbone, params = converted("lite0", state)
    rgb = np.random.default_rng(2).integers(0, 256, (49, 65, 3))
    images = ((rgb / 255 - MEAN) / STD).astype(np.float32)[None]
    maps = jax.jit(lambda params: backbone.module.apply({"params": params}, images))(params)
    theirs = reference(state, "lite0", rgb)[16]
    assert np.abs(maps.f16[0] - theirs).max() <= 2e-5 * np.abs(theirs).max()
    assert maps.deep.shape[1:3] == maps.f16.shape[1:3]
