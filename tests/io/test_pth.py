"""PyTorch files are read by numpy alone, exactly, and nothing in them runs."""

import builtins
import collections
import functools
import io
import os
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.torch_files import (
    BF16,
    MAGIC,
    Metadata,
    Parameter,
    Storage,
    Tensor,
    tensor,
    write_stream,
    write_zip,
)

from vosjax.checkpoints.pth import read_pth
from vosjax.checkpoints.wrappers import state_dict
from vosjax.errors import InputError

WRITERS = pytest.mark.parametrize("write", [write_zip, write_stream])
VALUES = np.arange(12)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.pth"


@WRITERS
@pytest.mark.parametrize("dtype", [np.float32, np.float16, BF16, np.int64, np.uint8, np.bool_])
def test_every_dtype_comes_back_exactly(path, write, dtype):
    array = VALUES.reshape(3, 4).astype(dtype)
    restored = read_pth(write(path, {"w": tensor(array, "0")}))["w"]
    assert restored.dtype == array.dtype
    np.testing.assert_array_equal(restored, array)


@WRITERS
def test_strides_and_offsets_are_followed(path, write):
    storage = Storage("0", VALUES.astype(np.float32))
    write(
        path,
        {
            "transposed": Tensor(storage, 0, (4, 3), (1, 4)),
            "part": Tensor(storage, 5, (2, 2), (4, 1)),
            "expanded": Tensor(storage, 2, (3,), (0,)),
        },
    )
    arrays = read_pth(path)
    np.testing.assert_array_equal(arrays["transposed"], VALUES.reshape(3, 4).T)
    np.testing.assert_array_equal(arrays["part"], [[5, 6], [9, 10]])
    np.testing.assert_array_equal(arrays["expanded"], [2, 2, 2])


@WRITERS
def test_scalars_and_empty_tensors_keep_their_shape(path, write):
    write(path, [tensor(np.array(7), "0"), tensor(np.zeros((0, 3), np.float32), "1")])
    scalar, empty = read_pth(path)
    assert scalar.shape == () and scalar == 7
    assert empty.shape == (0, 3)


@WRITERS
def test_nested_containers_come_back(path, write):
    objects = {
        "epoch": 3,
        "best": 0.5,
        "names": ["a", None, True],
        "sizes": (1, (2, 3), -1 << 40),
        "state": collections.OrderedDict(a=1),
        "text": "ä",
    }
    assert read_pth(write(path, objects)) == objects


@WRITERS
def test_parameters_and_module_metadata_are_read_over(path, write):
    state = Metadata(w=Parameter(tensor(VALUES.astype(np.float32), "0")))
    np.testing.assert_array_equal(read_pth(write(path, state))["w"], VALUES)


@pytest.mark.parametrize("protocol", [2, 4])
def test_objects_of_a_training_framework_are_passed_over(path, protocol, monkeypatch):
    """As pytracking stores them: a call that builds the network, and the training's settings."""
    names = "ltr", "ltr.admin", "ltr.admin.model_constructor"
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))

    class NetConstructor:
        """Says when it is made, as code that a file runs would."""

        made = 0

        def __setstate__(self, state):
            NetConstructor.made += 1

    NetConstructor.__module__, NetConstructor.__qualname__ = names[-1], "NetConstructor"
    sys.modules[names[-1]].NetConstructor = NetConstructor
    constructor = NetConstructor()
    constructor.fun_name, constructor.args = "dimpnet50", (4, {"filter_size": [1, 2]})
    call = Reduces(NetConstructor)
    content = {"net": {"w": tensor(VALUES, "0")}, "constructor": constructor, "call": call}
    write_zip(path, content, protocol=protocol)
    checkpoint = read_pth(path)
    assert list(state_dict(checkpoint)) == ["w"]
    assert [type(checkpoint[name]).__name__ for name in ("constructor", "call")] == ["Inert"] * 2
    assert NetConstructor.made == 0
    pickle.loads(pickle.dumps(constructor))
    assert NetConstructor.made == 1  # a plain unpickler does run it


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_is_read(path, protocol):
    write_zip(path, {"w": tensor(VALUES, "0"), "many": list(range(2000))}, protocol=protocol)
    objects = read_pth(path)
    np.testing.assert_array_equal(objects["w"], VALUES)
    assert objects["many"] == list(range(2000))


def test_shared_storages_are_read_once(path):
    storage = Storage("0", VALUES.astype(np.float32))
    write_zip(path, [Tensor(storage, 0, (12,), (1,)), Tensor(storage, 0, (12,), (1,))])
    a, b = read_pth(path)
    assert np.shares_memory(a, b)


def test_state_dict_is_found_in_every_wrapping():
    w = np.zeros(2)
    for obj in (
        {"w": w},
        {"state_dict": {"w": w}, "optimizer": {}},
        {"model": {"w": w}},
        {"network": {"module.w": w}},
        {"module.w": w},
    ):
        assert list(state_dict(obj)) == ["w"]


def test_state_dict_goes_before_model():
    state = state_dict({"model": {"a": np.zeros(1)}, "state_dict": {"b": np.zeros(1)}})
    assert list(state) == ["b"]


@pytest.mark.parametrize(
    "obj", [[1], {}, {"epoch": 3}, {1: np.zeros(1)}, {"w": np.zeros(1), "module.w": np.zeros(1)}]
)
def test_what_is_no_state_dict_is_refused(obj):
    with pytest.raises(InputError):
        state_dict(obj)


class Reduces:
    """Pickles as a call of any function: what a malicious file holds."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def attacks(trace):
    command = f"touch {trace}"
    eval_ = f"__import__('os').system({command!r})"
    return (
        Reduces(os.system, command),
        Reduces(builtins.eval, eval_),
        {"state_dict": {"a": [Reduces(builtins.exec, eval_)]}},
        Reduces(functools.partial(os.system, command)),
        collections.OrderedDict(a=Reduces(map, os.system, [command])),
    )


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("form", ["zip", "stream"])
def test_malicious_files_are_refused_and_leave_no_trace(tmp_path, form, number, protocol):
    trace = tmp_path / "trace"
    attack = attacks(trace)[number]
    path = tmp_path / "x.pth"
    if form == "zip":
        write_zip(path, attack, protocol=protocol)
    else:
        write_stream(path, attack)
    with pytest.raises(InputError, match=r"global \S+, which is refused"):
        read_pth(path)
    assert not trace.exists()


def test_the_same_attack_does_run_in_a_plain_unpickler(tmp_path):
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Reduces(os.system, f"touch {trace}")))
    assert trace.exists()


def test_a_refused_global_is_named(path):
    write_zip(path, Reduces(os.system, "true"))
    with pytest.raises(InputError, match="posix.system"):
        read_pth(path)


def raw_zip(path, pickled):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
    return path


RAW = {
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "NEWOBJ": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"Pid\n.",
    "a storage as a function": b"\x80\x02ctorch\nFloatStorage\n)R.",
    "a string as a function": b"\x80\x02X\x01\x00\x00\x00a)R.",
    "state for a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
    "state for the class": b"\x80\x02ccollections\nOrderedDict\n}b.",
    "items for a tuple": b"\x80\x02)K\x01K\x02s.",
    "a dotted global": b"\x80\x02ccollections\nOrderedDict.fromkeys\n.",
    "a global by stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "a tuple as a key": b"\x80\x02})K\x01s.",
    "no mark": b"\x80\x02K\x01t.",
    "no memo": b"\x80\x02h\x05.",
    "an empty stack": b"\x80\x02.",
    "no end": b"\x80\x02K\x01",
    "an unknown opcode": b"\x80\x02\xff.",
}


@pytest.mark.parametrize("name", RAW)
def test_hand_written_streams_are_refused(path, name):
    with pytest.raises(InputError, match="x.pth"):
        read_pth(raw_zip(path, RAW[name]))


def test_deep_nesting_does_not_break_the_stack(path):
    deep = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    assert isinstance(read_pth(raw_zip(path, deep)), list)


def test_a_whole_module_is_refused_with_a_hint(path):
    with pytest.raises(InputError, match="whole module.*state_dict"):
        read_pth(raw_zip(path, b"\x80\x02ctorch.nn.modules.conv\nConv2d\n)\x81}b."))


@pytest.mark.parametrize(
    "view",
    [
        (0, (13,), (1,)),
        (12, (1,), (1,)),
        (0, (2, 2), (11, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (10**15,), (0,)),
        (0, (3,), (1, 1)),
        (13, (0,), (1,)),
        (0, (1.0,), (1,)),
    ],
)
@WRITERS
def test_tensors_beyond_their_storage_are_refused(path, write, view):
    write(path, {"w": Tensor(Storage("0", VALUES.astype(np.float32)), *view)})
    with pytest.raises(InputError):
        read_pth(path)


@WRITERS
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_truncated_files_are_refused(path, write, share):
    data = write(path, {"w": tensor(np.zeros(5000, np.float32), "0")}).read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="x.pth"):
        read_pth(path)


def test_a_flipped_byte_in_the_data_of_an_archive_is_noticed(path):
    data = bytearray(write_zip(path, {"w": tensor(np.zeros(5000, np.float32), "0")}).read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read_pth(path)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(leave_out=["data/0"]), "data/0 is missing"),
        (dict(leave_out=["data.pkl"]), "no data.pkl"),
        (dict(change=lambda name, data: data[:-4] if name == "data/0" else data), "44 bytes"),
        (dict(change=lambda name, data: b"big" if name == "byteorder" else data), "big-endian"),
        (dict(compression=zipfile.ZIP_DEFLATED), "compressed"),
    ],
)
def test_archives_with_wrong_entries_are_refused(path, options, words):
    write_zip(path, {"w": tensor(VALUES.astype(np.float32), "0")}, **options)
    with pytest.raises(InputError, match=words):
        read_pth(path)


def test_a_stream_of_another_byte_order_is_refused(path):
    with pytest.raises(InputError, match="big-endian"):
        read_pth(write_stream(path, {}, little_endian=False))


def test_a_storage_larger_than_the_file_is_not_allocated(path):
    huge = (
        b"\x80\x02((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
        b"X\x03\x00\x00\x00cpu\x8a\x06" + struct.pack("<Q", 1 << 40)[:6] + b"Nt" + b"Qt."
    )
    stream = io.BytesIO()
    for value in (MAGIC, 1001, {"little_endian": True}):
        pickle.dump(value, stream, protocol=2)
    path.write_bytes(stream.getvalue() + huge)
    with pytest.raises(InputError, match="larger than the file"):
        read_pth(path)


@WRITERS
@given(
    damage=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    )
)
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_gives_an_array_or_a_clear_error(tmp_path_factory, write, damage):
    path = tmp_path_factory.mktemp("fuzz") / "x.pth"
    data = bytearray(write(path, Metadata(w=tensor(VALUES.astype(np.float32), "0"))).read_bytes())
    for share, value in damage:
        data[int(share * len(data))] = value
    path.write_bytes(data)
    try:
        read_pth(path)
    except InputError as error:
        assert "x.pth" in str(error)


def test_other_files_are_refused(path):
    path.write_bytes(b"hello, this is a text")
    with pytest.raises(InputError, match="neither a zip archive"):
        read_pth(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_pth(path.with_name("missing.pth"))


def test_a_damaged_name_in_an_archive_is_refused(path):
    data = write_zip(path, {"w": tensor(VALUES, "0")}).read_bytes()
    header = data.index(b"archive/byteorder")
    flags = header - 30 + 6  # bit 11: the name is UTF-8
    damaged = bytearray(data)
    damaged[flags + 1] |= 8
    damaged[header] = 0x80
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="damaged or truncated"):
        read_pth(path)
