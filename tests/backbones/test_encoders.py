"""Every encoder keeps its promises: sizes, channels, names, published files, early blocks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax import backbones
from vosjax.backbones import efficientnet, swin
from vosjax.checkpoints.convert import convert

ENCODERS = (
    *goldens.PUBLISHED.values(),
    "resnet:101",
    "resnest:101",
    "swin:t",
    "swin:s",
    "swin:b",
    "efficientnet:b1",
    "efficientnet:b2",
    "mobilenet_v2",
    "hrnet:w18_small",
    "hrnet:w48",
)


@functools.cache
def outline(name):
    """(backbone, {path: struct of a weight}, size of a frame, structs of its maps)."""
    backbone = backbones.build(name)
    size = (65, 81) if backbone.aligned else (64, 80)
    maps, tree = jax.eval_shape(
        backbone.module.init_with_output, jax.random.key(0), jnp.zeros((2, *size, 3))
    )
    leaves = jax.tree_util.tree_leaves_with_path(tree["params"])
    weights = {"/".join(part.key for part in path): leaf for path, leaf in leaves}
    return backbone, weights, size, maps


@pytest.fixture(params=ENCODERS)
def encoder(request):
    """(backbone, {path: struct of its weights})."""
    return outline(request.param)[:2]


def test_every_weight_has_one_name(encoder):
    backbone, there = encoder
    paths = [name.path for name in backbone.names("", "")]
    assert len(paths) == len(set(paths))
    assert set(paths) == set(there)


def test_names_go_below_a_path_and_a_key(encoder):
    backbone, _ = encoder
    for plain, deeper in zip(backbone.names("", ""), backbone.names("a/b", "c.d.")):
        assert (deeper.path, deeper.key) == (f"a/b/{plain.path}", f"c.d.{plain.key}")


@pytest.mark.parametrize("name", ENCODERS)
def test_maps_have_the_stated_strides_and_channels(name):
    backbone, _, (height, width), maps = outline(name)
    for field, stride, channels in zip(maps, (4, 8, 16, 16), backbone.channels):
        assert field.shape == (2, -(-height // stride), -(-width // stride), channels)


def test_early_weights_are_those_up_to_stride_four(encoder):
    backbone, there = encoder
    first = [path for path in there if backbone.early(path)]
    assert 0 < len(first) < len(there) / 2
    deepest = max(there[path].shape[-1] for path in first)
    assert deepest <= 4 * max(backbone.channels[0], 96)


@pytest.mark.parametrize("name", goldens.PUBLISHED)
def test_torchvision_files_leave_over_nothing_but_the_classifier(name):
    backbone, there, *_ = outline(goldens.PUBLISHED[name])
    manifest = goldens.manifest(f"backbones/{name}.manifest.json")
    state = {key: np.zeros(shape, dtype) for key, (shape, dtype) in manifest.items()}
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in there.items()}
    assert convert(state, backbones.imagenet_names(backbone), expected=expected).keys() == (
        expected.keys()
    )
    left = state.keys() - {entry.key for entry in backbone.names("", "")}
    head = ("fc.", "layer4.") if "resne" in name else ("classifier.", "features.8.", "features.7.")
    assert all(key.startswith(head) or key.endswith("num_batches_tracked") for key in left)


def test_a_swin_file_of_microsoft_leaves_our_own_norms_at_their_start():
    backbone, there, *_ = outline("swin:t")
    state = {
        entry.key: np.zeros(there[entry.path].shape[::-1], np.float32)
        for entry in backbone.names("", "")
        if entry.key[:4] != "norm"
    }
    state |= {
        key: np.zeros(there[path].shape[-1::-1][:2] + (4, 4), np.float32)
        for key, path in [("patch_embed.proj.weight", "patch_embed_proj/kernel")]
    }
    for path in ("layers0_0", "layers2_5"):
        table = there[f"{path}/attn/relative_position_bias_table"].shape
        key = path.replace("layers", "layers.").replace("_", ".blocks.")
        state[f"{key}.attn.relative_position_bias_table"] = np.zeros(table, np.float32)
    for key in (
        "norm.weight",
        "head.bias",
        "layers.3.blocks.1.mlp.fc1.weight",
        "layers.2.downsample.reduction.weight",
        "layers.0.blocks.1.attn_mask",
        "layers.0.blocks.0.attn.relative_position_index",
    ):
        state[key] = np.zeros(1, np.float32)
    converted = convert(state, backbones.imagenet_names(backbone))
    assert there.keys() - converted.keys() == {
        f"norm{i}/{part}" for i in range(3) for part in ("scale", "bias")
    }


def test_an_unknown_encoder_or_variant_names_what_there_is():
    with pytest.raises(ValueError, match="resnest, resnet, swin"):
        backbones.build("vgg:16")
    for module, variants in (
        ("resnet", "resnext50_32x4d"),
        ("resnest", "101"),
        ("swin", "t, s, b"),
        ("efficientnet", "v2_s"),
    ):
        with pytest.raises(ValueError, match=variants):
            backbones.build(f"{module}:none")


def test_swins_position_index_is_the_references():
    assert np.array_equal(
        swin.position_index(), goldens.module("recipe.py").relative_position_index()
    )


def test_swins_shift_mask_parts_what_was_not_adjacent():
    mask = swin.shift_mask(7, 14)
    assert mask.shape == (2, 1, 49, 49)
    # the left window is cut by rows alone (4 + 3), the right one by columns as well
    assert (mask[0] == 0).sum() == 28**2 + 21**2
    assert (mask[1] == 0).sum() == 16**2 + 2 * 12**2 + 9**2


SMALL = {
    "swin": swin.Swin(swin.Variant(32, (1, 1, 1), 1, 0.6)),
    "efficientnet": efficientnet.EfficientNet(
        efficientnet.Variant(
            8, tuple(efficientnet.Stage(1, 3, stride, 8, 2) for stride in (1, 2, 2, 2, 1, 2))
        )
    ),
}


@pytest.fixture(scope="module", params=SMALL)
def dropped(request):
    """(maps without a key, with a key, with the same key again) of a small network."""
    module = SMALL[request.param]
    draw = np.random.default_rng(0).standard_normal
    images = draw((4, 32, 32, 3)).astype(np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), images)
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (
            np.ones(leaf.shape, np.float32)
            if path[-1].key in ("var", "scale")
            else (draw(leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1], initial=1.0))).astype(
                np.float32
            )
        ),
        shapes,
    )
    apply = jax.jit(module.apply)
    key = jax.random.key(1)
    return apply(params, images), apply(params, images, key), apply(params, images, key)


def test_stochastic_depth_is_off_without_a_key(dropped):
    still, moved, again = dropped
    assert np.array_equal(moved.deep, again.deep)
    assert np.abs(still.deep - moved.deep).max() > 1e-3


@pytest.mark.parametrize("dropped", ["swin"], indirect=True)
def test_swins_first_stage_is_frozen_and_drops_nothing(dropped):
    still, moved, _ = dropped
    assert np.array_equal(still.f4, moved.f4)
