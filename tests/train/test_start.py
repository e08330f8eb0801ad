"""How training starts, how it is validated, and what it exports."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import small, torch_files

from vosjax import backbones, models, names
from vosjax.checkpoints.weights import flatten, save_weights
from vosjax.errors import InputError
from vosjax.names import Names
from vosjax.train import export, optimizer, start, state, validate

MODEL = small.model()


@pytest.fixture(scope="module")
def fresh():
    return jax.tree.map(np.asarray, start.params(MODEL, seed=0, init=""))


def saved(folder, params):
    save_weights(folder, params, card=dict(family="toy", config={}, source="", licence=""))
    return str(folder)


def test_seeds_decide_fresh_weights(fresh):
    same, other = (start.params(MODEL, seed=seed, init="") for seed in (0, 1))
    np.testing.assert_array_equal(same["key"], fresh["key"])
    assert (np.asarray(other["key"]) != fresh["key"]).any()


def test_a_folder_gives_all_weights_in_full_precision(tmp_path, fresh):
    half = jax.tree.map(lambda w: (2 * w).astype(np.float16), fresh)
    params = start.params(MODEL, seed=1, init=saved(tmp_path, half))
    assert params["key"].dtype == np.float32
    np.testing.assert_array_equal(params["key"], half["key"])


def test_weights_of_another_network_are_refused(tmp_path, fresh):
    wrong = fresh | {"key": fresh["key"][:2]}
    with pytest.raises(InputError, match="key"):
        start.params(MODEL, seed=0, init=saved(tmp_path, wrong))


def eyes(rng):
    """Weights with two encoders: one sees the image, and one, with a bias, sees masks too."""
    first, second = jax.random.split(rng)
    return {
        "plain": {"stem": {"kernel": jax.random.normal(first, (3, 3, 3, 4))}},
        "masked": {
            "stem": {"kernel": jax.random.normal(second, (3, 3, 5, 4)), "bias": jnp.full(4, 7.0)}
        },
    }


STEM = Names(tuple(names.conv("stem", "conv1", bias=False)), (r"fc\..*",))
EYES = MODEL._replace(
    init_params=eyes,
    pretrained_encoders=(
        ("plain", backbones.PretrainedEncoder(STEM)),
        ("masked", backbones.PretrainedEncoder(STEM, ("stem/kernel",))),
    ),
)


def checkpoint(path, **tensors):
    """A `.pth`; keys have '_' for '.'."""
    named = {
        key.replace("_", "."): torch_files.tensor(array.astype(np.float32), str(i))
        for i, (key, array) in enumerate(tensors.items())
    }
    return str(torch_files.write_zip(path, named))


KERNEL = np.arange(108, dtype=np.float32).reshape(4, 3, 3, 3)  # [O, I, k, k]


def test_every_encoder_starts_from_its_own_file(tmp_path):
    files = [
        checkpoint(tmp_path / f"{i}.pth", conv1_weight=KERNEL + i, fc_weight=np.zeros((2, 2)))
        for i in range(2)
    ]
    params = start.params(EYES, seed=0, init=f"plain={files[0]}, masked={files[1]}")
    np.testing.assert_array_equal(params["plain"]["stem"]["kernel"], KERNEL.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(
        params["masked"]["stem"]["kernel"][:, :, :3], KERNEL.transpose(2, 3, 1, 0) + 1
    )


def test_masks_and_biases_that_a_file_lacks_stay_fresh(tmp_path):
    file = checkpoint(tmp_path / "one.pth", conv1_weight=KERNEL)
    fresh = start.params(EYES, seed=3, init="")
    params = start.params(EYES, seed=3, init=f"masked={file}")
    np.testing.assert_array_equal(
        params["masked"]["stem"]["kernel"][:, :, 3:], fresh["masked"]["stem"]["kernel"][:, :, 3:]
    )
    np.testing.assert_array_equal(params["masked"]["stem"]["bias"], np.full(4, 7))
    np.testing.assert_array_equal(
        params["plain"]["stem"]["kernel"], fresh["plain"]["stem"]["kernel"]
    )


def test_a_network_with_one_encoder_needs_no_name_for_it(tmp_path):
    file = checkpoint(tmp_path / "one.pth", conv1_weight=KERNEL)
    one = EYES._replace(pretrained_encoders=EYES.pretrained_encoders[:1])
    np.testing.assert_array_equal(
        start.params(one, seed=0, init=file)["plain"]["stem"]["kernel"],
        KERNEL.transpose(2, 3, 1, 0),
    )


@pytest.mark.parametrize(
    "tensors, words",
    [
        (
            dict(conv1_weight=KERNEL[:2]),
            r"plain: .*conv1.weight as stem/kernel .*\[3, 3, 3, 2\] instead",
        ),
        (dict(fc_weight=KERNEL), "1 missing: conv1.weight"),
        (dict(conv1_weight=KERNEL, conv2_weight=KERNEL), "1 not expected: conv2.weight"),
    ],
)
def test_files_of_another_encoder_are_refused(tmp_path, tensors, words):
    file = checkpoint(tmp_path / "other.pth", **tensors)
    with pytest.raises(InputError, match=words):
        start.params(EYES, seed=0, init=f"plain={file}")


@pytest.mark.parametrize("room", ["", "image="])
def test_a_file_for_no_encoder_is_refused_with_the_names_of_all(tmp_path, room):
    file = checkpoint(tmp_path / "one.pth", conv1_weight=KERNEL)
    with pytest.raises(InputError, match="plain and masked; write plain="):
        start.params(EYES, seed=0, init=room + file)


def test_an_encoder_is_started_from_that_of_another_network(tmp_path):
    given = jax.tree.map(lambda w: np.asarray(w) + 1, EYES.init_params(jax.random.key(1)))
    card = dict(family="other", config={}, source="a test", licence="none")
    save_weights(tmp_path, given | {"more": {"kernel": np.ones(3, np.float32)}}, card=card)
    started = start.params(EYES, seed=0, init=f"plain={tmp_path}")
    fresh = start.params(EYES, seed=0, init="")
    for name in started:
        expected = (given if name == "plain" else fresh)[name]
        jax.tree.map(np.testing.assert_array_equal, started[name], expected)


def test_a_folder_without_that_encoder_is_refused(tmp_path):
    card = dict(family="other", config={}, source="a test", licence="none")
    save_weights(tmp_path, {"more": {"kernel": np.ones(3, np.float32)}}, card=card)
    with pytest.raises(InputError, match="for plain: these weights have more"):
        start.params(EYES, seed=0, init=f"plain={tmp_path}")


def test_an_encoder_without_a_reader_of_its_file_is_refused(tmp_path):
    np.savez(tmp_path / "encoder.npz", a=np.zeros(1))
    with pytest.raises(InputError, match="plain: .* not read from an .npz"):
        start.params(EYES, seed=0, init=f"plain={tmp_path / 'encoder.npz'}")


def _first(arrays):
    return {"stem": np.asarray(arrays["x"][0], np.float32)}


FOLDED = EYES._replace(
    pretrained_encoders=(("plain", backbones.PretrainedEncoder(STEM, (), _first)),)
)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "0 bytes"),
        (b"PK\x03\x04 torn", "no .npz file of arrays, or damaged"),
        (b"hello", "no .npz file of arrays, or damaged"),
        ({"x": np.array(5)}, "another form than expected"),
        ({"x": np.array(["text"])}, "another form than expected"),
        ({"x": np.array([None], object)}, "holds objects"),
    ],
)
def test_a_torn_or_foreign_npz_is_one_line_that_names_it(tmp_path, data, words):
    path = tmp_path / "encoder.npz"
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        np.savez(path, **data)
    with pytest.raises(InputError, match=words) as error:
        start.params(FOLDED, seed=0, init=str(path))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_an_encoder_that_is_no_number_is_refused_by_name(tmp_path):
    kernel = KERNEL.copy()
    kernel[0, 0, 0, :2] = np.nan
    file = checkpoint(tmp_path / "nan.pth", conv1_weight=kernel)
    with pytest.raises(InputError, match="array 'stem/kernel' holds 2 NaN of 108 values"):
        start.params(EYES, seed=0, init=f"plain={file}")


def test_weights_that_are_no_numbers_are_not_exported(tmp_path, fresh):
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    broken = state.fresh(fresh | {"gain": np.float32(np.nan)}, MODEL.param_group, chain)
    with pytest.raises(InputError, match="after step 0: array 'gain' holds 1 NaN of 1 values"):
        export.export(small.config(), broken, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(
    "family, settings, rest",
    [
        ("stcn", {}, r".*conv\d?/bias"),
        ("stcn", dict(use_others=False), r".*conv\d?/bias"),
        ("famnet", {}, r"conv1_[mo]/kernel"),
        ("aot", {}, "none"),
        ("deaot", {}, "none"),
    ],
)
def test_published_files_give_all_but_biases_and_masks(family, settings, rest):
    model = models.build(family, **settings)
    shapes = jax.eval_shape(model.init_params, jax.random.key(0))
    for room, begin in model.pretrained_encoders:
        held = flatten(shapes[room])
        published = {name.path for name in begin.names.entries}
        assert published <= held.keys()
        assert all(re.fullmatch(rest, path) for path in held.keys() - published)
        assert all(held[kernel].shape[2] > start.IMAGE for kernel in begin.wider)
    assert {room for room in shapes if room.endswith("encoder")} == {
        room for room, _ in model.pretrained_encoders
    }


def test_validation_compares_with_the_truth_of_later_frames(fresh):
    clip = small.clip_of(0, frames=3, size=32)
    still = {name: np.repeat(clip[name][:1], 3, axis=0) for name in ("frames", "labels")}
    still["live"] = clip["live"]
    wrong = still["labels"].copy()
    wrong[1:] = np.array([2, 0, 1])[wrong[1:]]
    run, params = validate.compiled(MODEL, mem_every=1), fresh | {"gain": np.float32(50)}
    assert validate.mean_j(run, params, [still]) > 0.9
    assert validate.mean_j(run, params, [still | {"labels": wrong}]) < 0.1


def test_weights_beyond_half_precision_are_named(tmp_path, fresh):
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    large = state.fresh(fresh | {"gain": np.float32(1e6)}, MODEL.param_group, chain)
    with pytest.raises(InputError, match="float16 cannot hold: gain"):
        export.export(small.config(), large, tmp_path)
