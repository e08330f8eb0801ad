"""State dicts in what training code stores: found and unwrapped, with a warning."""

import warnings

import numpy as np
import pytest

from vosjax.checkpoints.wrappers import CONTAINERS, state_dict
from vosjax.errors import InputError

W, B = np.ones((2, 2), np.float32), np.zeros(2, np.float32)
PLAIN = {"encoder.conv.weight": W, "encoder.conv.bias": B}


def under(prefix, state=PLAIN):
    return {prefix + key: value for key, value in state.items()}


def read(obj):
    """The state dict, and what was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state = state_dict(obj)
    return state, " ".join(str(warning.message) for warning in caught)


@pytest.mark.parametrize("name", CONTAINERS)
def test_weights_are_found_under_every_usual_name(name):
    state, said = read({name: PLAIN, "epoch": 3, "optimizer": {"lr": 0.1}})
    assert state == PLAIN and not said


@pytest.mark.parametrize(
    "prefix, words",
    [
        ("module.", "DataParallel"),
        ("_orig_mod.", "torch.compile"),
        ("module._orig_mod.", "torch.compile"),
        ("_orig_mod.module.", "DataParallel"),
        ("model.", "Lightning"),
        ("model._orig_mod.", "torch.compile"),
        ("model.module.", "DataParallel"),
        ("ema_model.", "an average"),
        ("ema_model.module.", "DataParallel"),
        ("model_ema.", "an average"),
        ("shadow.", "an average"),
        ("module.module.", "DataParallel"),
    ],
)
@pytest.mark.parametrize("container", ["", "state_dict"])
def test_prefixes_of_wrappers_are_taken_off_and_said(prefix, words, container):
    obj = under(prefix)
    state, said = read({container: obj} if container else obj)
    assert state == PLAIN and words in said and said.startswith("the checkpoint: ")


def test_a_compiled_part_of_a_network_is_unwrapped_too():
    state, _ = read({"encoder._orig_mod.conv.weight": W, "encoder.conv.bias": B})
    assert state == PLAIN


def test_prefixes_that_only_some_names_bear_belong_to_the_network():
    own = {"model.conv.weight": W, "head.weight": W}
    assert read(own) == (own, "")


def test_a_prefix_that_the_network_itself_bears_is_its_own():
    own = under("net.")
    assert state_dict(under("model.", own), own=own.keys()) == own


def test_plain_weights_go_before_averaged_ones_and_that_is_said():
    state, said = read({"ema": under("", {"a": B}), "model": PLAIN})
    assert state == PLAIN and "under 'model' and under 'ema': the first is read" in said
    state, said = read({**under("ema_model.", {"a": B}), **under("online_model.")})
    assert state == PLAIN and "'ema_model.' is left out" in said


def test_an_average_alone_is_read_without_its_counters():
    state, said = read({"n_averaged": np.array(3), **under("module.")})
    assert state == PLAIN and "left out are n_averaged" in said
    obj = {"initted": np.array(True), "step": np.array(5), **under("ema_model.")}
    assert read(obj)[0] == PLAIN


def test_containers_within_containers_are_followed():
    state, said = read({"state_dict": {"model": under("module.")}, "epoch": 1})
    assert state == PLAIN and "'state_dict/model'" in said


def test_a_container_without_arrays_is_passed_over():
    assert read({"model": {"layers": 3}, "ema": PLAIN})[0] == PLAIN


def test_containers_that_refer_to_each_other_end():
    knot = {}
    for name in CONTAINERS:
        knot[name] = knot
    with pytest.raises(InputError, match="no state dict"):
        state_dict(knot)


@pytest.mark.parametrize(
    "obj, words",
    [
        ({10**6000: W}, "a number of 19932 bits is"),
        ({"k" * 10**6: 3}, r"k\.\.\. is int"),
        ({b"bytes": W}, "b'bytes' is ndarray"),
        ({"shadow_params": [W, B]}, "'shadow_params' is list"),
        ({"w": W, "_orig_mod.w": W}, "'w' both with and without '_orig_mod.'"),
        ({"w": W, "module.w": W}, "'w' both with and without 'module.'"),
        (W, "holds ndarray, a state dict is expected"),
        (None, "holds NoneType"),
    ],
)
def test_what_is_no_state_dict_is_refused_in_a_short_line(obj, words):
    with pytest.raises(InputError, match=words) as error:
        state_dict(obj)
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)
