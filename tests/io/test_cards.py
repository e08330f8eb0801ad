"""Cards of weights as hostile input: impossible fields are refused by name, in one line."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command import workdir  # noqa: F401

import vosjax
from vosjax.checkpoints.weights import load_weights, save_weights
from vosjax.errors import InputError

CARD = {
    "family": "toynet",
    "config": {"model": {"slots": 4}, "mem_every": 3},
    "source": "a test",
    "licence": "none",
}


@pytest.fixture
def folder(tmp_path):
    save_weights(tmp_path / "w", {"key": np.zeros((2, 3), np.float32)}, card=CARD)
    return tmp_path / "w"


def edit(folder, changes):
    """Changes fields of the card; 'a.b' is a field within a field, and ... takes one away."""
    path = folder / "card.json"
    card = json.loads(path.read_text())
    for name, value in changes.items():
        *outer, last = name.split(".")
        fields = card
        for part in outer:
            fields = fields[part]
        if value is ...:
            del fields[last]
        else:
            fields[last] = value
    path.write_text(json.dumps(card))


def refused(folder):
    with pytest.raises(InputError) as error:
        load_weights(folder)
    line = str(error.value)
    assert "card.json" in line and "\n" not in line and len(line) < 600
    return line


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"family": 3}, "family is 3; a text is expected"),
        ({"family": ["aot"]}, "family is"),
        ({"family": None}, "family is None"),
        ({"config": []}, r"config is []; a dict is expected"),
        ({"config": "aot"}, "config is 'aot'; a dict"),
        ({"config.model": [1]}, "config.model is [1]; a dict or None"),
        ({"config.model": 7}, "config.model is 7"),
        ({"config.mem_every": -1}, "config.mem_every is -1; at least 1"),
        ({"config.mem_every": 0}, "config.mem_every is 0"),
        ({"config.mem_every": 2.5}, "config.mem_every is 2.5; a whole number"),
        ({"config.mem_every": "5"}, "config.mem_every is '5'"),
        ({"config.mem_every": True}, "config.mem_every is True"),
        (
            {"config.mem_every": 10**18},
            "config.mem_every is 1000000000000000000; a whole number up to",
        ),
        ({"config.gap": -4, "config.mem_every": ...}, "config.mem_every is -4"),
        ({"config.max_mem_frames": 0}, "config.max_mem_frames is 0"),
        ({"config.limit": "many"}, "config.max_mem_frames is 'many'"),
        ({"source": 5}, "source is 5; a text"),
        ({"licence": {}}, "licence is {}"),
        ({"objects": 0}, "objects is 0; at least 1 and at most 255"),
        ({"objects": 2.0}, "objects is 2.0"),
        ({"objects": 10**9}, "objects is 1000000000"),
        ({"training": [1]}, "training is [1]"),
        ({"format": "1"}, "format is '1'; a whole number"),
        ({"format": True}, "format is True"),
        ({"format": 99}, "format 99, this version reads format 1"),
        ({"format": 10**30}, "format 10000000000000000000, this"),
        ({"sha256": 5}, "sha256 is 5; a text"),
        ({"sha256": "abc"}, "sha256 is 'abc'; 64 hexadecimal digits"),
        ({"sha256": "../../x" * 9 + "x"}, "64 hexadecimal digits"),
        ({"arrays": [1]}, "arrays is [1]"),
        ({"source": ...}, "source missing"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_what_is_expected(folder, changes, words):
    edit(folder, changes)
    assert words in refused(folder)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b"[1, 2]", "no card of weights"),
        (b"null", "no card of weights"),
        (b'{"family": NaN}', "NaN is no number"),
        (b'{"format": ' + b"9" * 6000 + b"}", "damaged"),
        (b'{"family": "\\ud800"}', "damaged"),
        (b" " * (17 << 20), "at most 16,777,216"),
    ],
)
def test_what_is_no_card_is_refused(folder, data, words):
    (folder / "card.json").write_bytes(data)
    assert words in refused(folder)


def test_cards_of_version_0_1_open(folder):
    edit(folder, {"arrays": ..., "config": {"model": {}, "gap": 9999, "other": 1}, "more": [1]})
    _, card = load_weights(folder)
    assert card["config"]["gap"] == 9999 and card["more"] == [1]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"family": "vgg"}, "unknown family 'vgg'; there are: "),
        ({"family": "../aot"}, "unknown family '../aot'"),
        ({"config.model": {"slots": "four"}}, "slots is 'four'"),
        ({"config.model": {"colour": 1}}, "no setting 'colour'"),
        ({"config.model": {"top_k": -1}}, "top_k is -1"),
    ],
)
def test_a_network_that_cannot_be_built_is_blamed_on_the_card(workdir, changes, words):  # noqa: F811
    edit(workdir.root / "weights", changes)
    with pytest.raises(InputError) as error:
        vosjax.load(workdir.weights)
    line = str(error.value)
    assert words in line and "card.json describes no network" in line and "\n" not in line


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"layers": 10**9}, "layers is 1000000000"),
        ({"layers": -1}, "layers is -1"),
        ({"layers": 1.5}, "layers is 1.5"),
        ({"encoder": 5}, "encoder is 5"),
        ({"encoder": "resnet:9"}, "unknown ResNet"),
        ({"encoder": "../x"}, "unknown encoder '../x'"),
        ({"max_long_side": 0}, "max_long_side is 0"),
        ({"max_short_side": -3}, "max_short_side is -3"),
        ({"drop_path": 7}, "drop_path is 7"),
        ({"gate_heads": 0}, "gate_heads"),
        ({"depth": 5}, "depth 5"),
        ({"block": "v9"}, "unknown LSTT block"),
    ],
)
def test_settings_of_a_real_family_are_held_to_their_ranges(folder, settings, words):
    edit(folder, {"family": "aot", "config": {"model": settings}})
    with pytest.raises(InputError, match=words):
        vosjax.load(folder)


def test_a_dtype_that_nobody_knows_is_no_fault_of_the_weights(workdir):  # noqa: F811
    with pytest.raises(InputError) as error:
        vosjax.load(workdir.weights, dtype="float16")
    assert str(error.value) == "dtype is 'float16'; there are float32, bfloat16"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(
        [*CARD, "format", "sha256", "objects", "config.model", "config.mem_every"]
    ),
    value=values,
)
def test_any_value_in_any_field_is_read_or_refused(workdir, name, value):  # noqa: F811
    folder = workdir.root / "weights"
    before = (folder / "card.json").read_bytes()
    try:
        edit(folder, {name: value})
        vosjax.load(folder)
    except InputError as error:
        assert "card.json" in str(error) or "weights" in str(error)
    finally:
        (folder / "card.json").write_bytes(before)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["card.json", "weights.safetensors"]),
    where=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
    cut=st.booleans(),
)
def test_flipped_and_cut_files_are_read_right_or_refused(folder, name, where, bit, cut):
    path = folder / name
    before = path.read_bytes()
    at = int(where * len(before))
    path.write_bytes(
        before[:at] if cut else before[:at] + bytes([before[at] ^ 1 << bit]) + before[at + 1 :]
    )
    try:
        params, _ = load_weights(folder)
        np.testing.assert_array_equal(params["key"], np.zeros((2, 3)))
    except InputError as error:
        assert str(folder) in str(error)
    finally:
        path.write_bytes(before)
