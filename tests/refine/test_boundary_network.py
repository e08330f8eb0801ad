"""The refinement network: its settings, its weights on disk, its norms in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import torch_files

from vosjax.checkpoints.paths import flatten
from vosjax.checkpoints.weights import save_weights
from vosjax.config import opened
from vosjax.errors import InputError
from vosjax.modes import Options
from vosjax.modes import convert as convert_mode
from vosjax.refine.boundary import network

TINY = dict(patch=32, widths=(2, 3, 4, 5), bottlenecks=1, modules=(1, 1, 1), blocks=1, stem=4)


@pytest.fixture(scope="module")
def tiny():
    """(network with compiled functions, its random weights)."""
    built = network.build(**TINY)
    compiled = built._replace(apply=jax.jit(built.apply), train_apply=jax.jit(built.train_apply))
    return compiled, built.init_params(jax.random.key(0))


def patches(count=4, side=32, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, side, side, 3)).astype(np.float32)
    return images, np.where(images[..., 0] > 0, 1, -1).astype(np.float32)


def card(**config):
    return dict(family="bpr", config=config, source="", licence="")


def test_logits_have_the_size_of_the_input(tiny):
    built, params = tiny
    assert built.apply(params, *patches()).shape == (4, 32, 32, 2)


def test_the_mask_changes_the_logits(tiny):
    built, params = tiny
    images, masks = patches()
    assert not np.allclose(built.apply(params, images, masks), built.apply(params, images, -masks))


def test_weights_of_a_folder_are_loaded_as_float32(tiny, tmp_path):
    built, params = tiny
    halves = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), params)
    save_weights(tmp_path / "w", halves, card=card(model=TINY))
    loaded, weights, record = network.load_network(tmp_path / "w")
    assert loaded.patch == 32 and record["family"] == "bpr"
    for path, leaf in flatten(weights).items():
        assert leaf.dtype == np.float32
        np.testing.assert_array_equal(leaf, flatten(halves)[path])


def test_weights_of_another_family_or_form_are_refused(tiny, tmp_path):
    _, params = tiny
    arrays = jax.tree.map(np.asarray, params)
    save_weights(tmp_path / "a", arrays, card=card(model=TINY) | {"family": "aot"})
    with pytest.raises(InputError, match="of the family 'aot'"):
        network.load_network(tmp_path / "a")
    save_weights(tmp_path / "b", arrays, card=card(model=TINY | {"stem": 8}))
    with pytest.raises(InputError, match="backbone/conv1/kernel"):
        network.load_network(tmp_path / "b")
    with pytest.raises(InputError, match="no weights at nowhere"):
        network.load_network("nowhere")


@pytest.mark.parametrize(
    "settings, said",
    [
        (dict(patch=48), "patch is 48: a multiple of 32"),
        (dict(widths=(1, 2, 3)), "four positive numbers"),
        (dict(modules=(1, 0, 1)), "three positive numbers"),
        (dict(stem="wide"), "stem"),
        (dict(depth=3), "no setting 'depth'"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        network.build(**settings)


def test_in_training_a_batch_is_normalised_by_itself(tiny):
    built, params = tiny
    images, masks = patches()
    logits, statistics = built.train_apply(params, images, masks)
    brighter, _ = built.train_apply(params, 3 * images, 3 * masks)
    np.testing.assert_allclose(logits, brighter, atol=1e-3)  # the first norm takes the factor out
    paths = {path for path in flatten(params) if path.endswith(("/mean", "/var"))}
    assert set(statistics) == paths
    assert {path for path in flatten(params) if built.param_group(path) == "frozen"} == paths


@pytest.mark.slow
def test_gradients_reach_every_trained_weight(tiny):
    built, params = tiny
    images, masks = patches()

    def loss(params):
        logits, _ = built.train_apply(params, images, masks)
        return jnp.mean(jax.nn.softplus(logits[..., 0] - logits[..., 1]))

    for path, gradient in flatten(jax.jit(jax.grad(loss))(params)).items():
        assert np.any(gradient != 0) == (built.param_group(path) != "frozen"), path


@pytest.fixture
def published(tiny, tmp_path):
    """(file, {key: array}) of a checkpoint as mmcv writes it, of the tiny network."""
    built, params = tiny
    flat, state = flatten(params), {}
    for number, (path, key, _) in enumerate(built.checkpoint_names.entries):
        array = np.asarray(flat[path], np.float32)
        if key.endswith("weight") and array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif key.endswith("weight") and array.ndim == 2:
            array = array.T[..., None, None]
        state[key] = torch_files.tensor(np.ascontiguousarray(array), str(number))
    state["backbone.bn1.num_batches_tracked"] = torch_files.tensor(np.array(7, np.int64), "n")
    return tmp_path / "hrnet_tiny.pth", state


def convert(file, output):
    config = opened("bpr:w18", [f"model.{name}={value}" for name, value in TINY.items()])
    return convert_mode.run(config, Options(inputs=(str(file),), output=str(output)))


def test_a_published_file_becomes_weights(tiny, published, tmp_path, capsys):
    built, params = tiny
    file, state = published
    torch_files.write_zip(file, {"state_dict": state, "meta": {"mmseg_version": "0.6.0"}})
    assert convert(file, tmp_path / "w") == 0
    assert "tensors" in capsys.readouterr().out
    loaded, weights, record = network.load_network(tmp_path / "w")
    assert record["family"] == "bpr" and record["source"] == "converted from hrnet_tiny.pth"
    for path, leaf in flatten(weights).items():
        np.testing.assert_array_equal(leaf, flatten(params)[path])


def test_a_file_that_lacks_a_tensor_or_has_another_is_refused(published, tmp_path):
    file, state = published
    del state["backbone.conv_mask.weight"]
    state["decode_head.other.weight"] = torch_files.tensor(np.zeros(1, np.float32), "o")
    torch_files.write_zip(file, {"state_dict": state, "meta": {}})
    with pytest.raises(InputError, match="(?s)conv_mask.*decode_head.other"):
        convert(file, tmp_path / "w")
    assert not (tmp_path / "w").exists()
