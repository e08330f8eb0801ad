"""Weights are stored in one format, whole or not at all, and checked before they are used."""

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax.checkpoints import weights
from vosjax.checkpoints.checks import check_params
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.paths import flatten, nest
from vosjax.checkpoints.weights import load_weights, save_weights
from vosjax.errors import InputError
from vosjax.names import Name, Names, conv, conv_kernel, linear_kernel, same

CARD = {"family": "aot", "config": {"layers": 2}, "source": "test", "licence": "BSD-3-Clause"}
DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16, np.int32, np.bool_]


def params():
    kernel = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {
        "encoder": {"conv": {"kernel": kernel, "bias": np.float32([1, 2])}},
        "scale": np.array(2.5, np.float16),
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_exactly(tmp_path, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    save_weights(tmp_path, {"a": array}, card=CARD)
    loaded = load_weights(tmp_path)[0]["a"]
    assert loaded.dtype == dtype
    np.testing.assert_array_equal(loaded, array)


def test_nesting_shapes_and_card_come_back(tmp_path):
    card = save_weights(tmp_path / "new", params(), card=CARD)
    loaded, loaded_card = load_weights(tmp_path / "new")
    assert loaded_card == card and card.items() >= CARD.items() and card["format"] == 1
    for path, array in flatten(params()).items():
        np.testing.assert_array_equal(flatten(loaded)[path], array)
        assert flatten(loaded)[path].shape == array.shape


def test_transposed_arrays_are_stored_by_their_values(tmp_path):
    save_weights(tmp_path, {"a": np.arange(6).reshape(2, 3).T}, card=CARD)
    np.testing.assert_array_equal(load_weights(tmp_path)[0]["a"], [[0, 3], [1, 4], [2, 5]])


def test_any_other_reader_of_safetensors_can_read_them(tmp_path):
    import safetensors.numpy

    save_weights(tmp_path, params(), card=CARD)
    tensors = safetensors.numpy.load_file(tmp_path / "weights.safetensors")
    assert sorted(tensors) == ["encoder/conv/bias", "encoder/conv/kernel", "scale"]


paths = st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=3).map("/".join)


@given(st.lists(paths, unique=True))
@settings(max_examples=50, deadline=None)
def test_nest_and_flatten_are_inverse(names):
    names = [n for n in names if not any(m.startswith(n + "/") for m in names)]
    flat = {name: i for i, name in enumerate(names)}
    assert flatten(nest(flat)) == flat


@pytest.mark.parametrize(
    "wrong",
    [{"a/b": np.zeros(1)}, {1: np.zeros(1)}, {"a": {}}, {"a": np.array("text")}, {"a": None}],
)
def test_params_that_cannot_be_stored_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError):
        save_weights(tmp_path, wrong, card=CARD)
    assert not list(tmp_path.iterdir())


def test_a_card_needs_its_keys(tmp_path):
    with pytest.raises(ValueError, match="licence"):
        save_weights(tmp_path, params(), card={k: CARD[k] for k in CARD if k != "licence"})


@pytest.mark.parametrize("name", ["weights.safetensors", "card.json"])
def test_a_missing_file_is_named(tmp_path, name):
    save_weights(tmp_path, params(), card=CARD)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        load_weights(tmp_path)


def test_damaged_weights_are_refused(tmp_path):
    save_weights(tmp_path, params(), card=CARD)
    file = tmp_path / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="sha256"):
        load_weights(tmp_path)


def edit_card(folder, **changes):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **changes}))


def test_weights_of_another_card_are_refused(tmp_path):
    save_weights(tmp_path, params(), card=CARD)
    edit_card(tmp_path, sha256="0" * 64)
    with pytest.raises(InputError, match="belongs to another card"):
        load_weights(tmp_path)


def test_a_newer_format_is_refused(tmp_path):
    save_weights(tmp_path, params(), card=CARD)
    edit_card(tmp_path, format=99)
    with pytest.raises(InputError, match="format 99"):
        load_weights(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"family": "aot"}', "\xff"])
def test_a_damaged_card_is_refused(tmp_path, text):
    save_weights(tmp_path, params(), card=CARD)
    (tmp_path / "card.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="card.json"):
        load_weights(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    import hashlib

    save_weights(tmp_path, params(), card=CARD)
    (tmp_path / "weights.safetensors").write_bytes(b"hello")
    edit_card(tmp_path, sha256=hashlib.sha256(b"hello").hexdigest())
    with pytest.raises(InputError, match="no safetensors file"):
        load_weights(tmp_path)


def test_an_interrupted_save_leaves_the_old_weights(tmp_path, monkeypatch):
    save_weights(tmp_path, params(), card=CARD)

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        save_weights(tmp_path, {"other": np.zeros(3)}, card=CARD)
    assert set(load_weights(tmp_path)[0]) == {"encoder", "scale"}
    assert len(list(tmp_path.iterdir())) == 2


EXPECTED = {
    "encoder/conv/kernel": ((2, 3, 4), np.float32),
    "encoder/conv/bias": ((2,), np.float32),
    "scale": ((), np.float32),
}


def test_params_that_fit_pass_in_any_floating_dtype():
    check_params(params(), EXPECTED)
    check_params(flatten(params()), EXPECTED)


def test_every_misfit_is_named_in_one_error():
    wrong = {
        "encoder": {"conv": {"kernel": np.zeros((2, 3, 5), np.float32)}},
        "scale": np.array(1, np.int32),
        "more": np.zeros(1),
    }
    with pytest.raises(InputError) as error:
        check_params(wrong, EXPECTED)
    assert "1 missing: encoder/conv/bias" in str(error.value)
    assert "1 not expected: more" in str(error.value)
    assert "kernel (float32 [2, 3, 5] instead of float32 [2, 3, 4])" in str(error.value)
    assert "scale (int32 [] instead of float32 [])" in str(error.value)


def test_a_long_list_of_misfits_is_cut_with_a_count():
    expected = {f"w{i:02d}": ((1,), np.float32) for i in range(25)}
    with pytest.raises(InputError, match="25 missing: w00, .*w09 and 15 more") as error:
        check_params({}, expected)
    assert "w10" not in str(error.value)


HEAD = Name("head/kernel", "decoder.weight", linear_kernel)
NAMES = Names((*conv("stem", "encoder.conv1"), HEAD), (r".*num_batches_tracked",))


def state():
    rng = np.random.default_rng(0)
    return {
        "encoder.conv1.weight": rng.normal(size=(4, 3, 2, 2)),
        "encoder.conv1.bias": np.ones(4),
        "decoder.weight": rng.normal(size=(5, 4)),
        "bn.num_batches_tracked": np.array(3),
    }


def test_convert_renames_and_lays_out():
    flat = convert(state(), NAMES)
    assert sorted(flat) == ["head/kernel", "stem/bias", "stem/kernel"]
    np.testing.assert_array_equal(flat["head/kernel"], state()["decoder.weight"].T)
    np.testing.assert_array_equal(flat["stem/kernel"], conv_kernel(state()["encoder.conv1.weight"]))
    assert all(array.flags.c_contiguous for array in flat.values())


def test_convert_names_every_misfit_in_one_error():
    wrong = state() | {"surplus": np.zeros(1), "encoder.conv1.weight": np.zeros((4, 3))}
    del wrong["encoder.conv1.bias"]
    with pytest.raises(InputError) as error:
        convert(wrong, NAMES)
    for words in (
        "1 missing: encoder.conv1.bias",
        "1 not expected: surplus",
        "1 of a wrong rank: encoder.conv1.weight [4, 3]",
    ):
        assert words in str(error.value)


def test_convert_checks_the_shapes_of_the_network():
    expected = {
        "stem/kernel": ((2, 2, 3, 4), np.float32),
        "stem/bias": ((4,), np.float32),
        "head/kernel": ((4, 6), np.float32),
    }
    with pytest.raises(InputError, match=r"1 of another .*decoder.weight as head/kernel") as error:
        convert(state(), NAMES, expected=expected)
    assert "stem" not in str(error.value)
    expected["head/kernel"] = ((4, 5), np.float32)
    assert set(convert(state(), NAMES, expected=expected)) == set(expected)


def test_convert_names_weights_that_no_name_leads_to():
    with pytest.raises(InputError, match="without a name in the checkpoint: tail"):
        convert(
            {"a": np.zeros(1)},
            Names((Name("a", "a", same),)),
            expected={"a": ((1,), np.float32), "tail": ((1,), np.float32)},
        )


def test_ignored_patterns_have_to_match_the_whole_key():
    with pytest.raises(InputError, match="num_batches_tracked.x"):
        convert(state() | {"bn.num_batches_tracked.x": np.zeros(1)}, NAMES)


def test_the_files_have_their_published_names():
    assert (weights.WEIGHTS, weights.CARD) == ("weights.safetensors", "card.json")
