"""Small `.pth` and `.npz` files that claim much: refused before the memory is taken."""

import io
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.torch_files import Storage, Tensor, tensor, write_stream, write_zip

from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.npz import read_npz
from vosjax.checkpoints.pth import read_pth
from vosjax.checkpoints.wrappers import state_dict
from vosjax.errors import InputError
from vosjax.names import Name, Names, same

WRITERS = pytest.mark.parametrize("write", [write_zip, write_stream])


@WRITERS
def test_many_views_of_one_small_storage_are_refused(tmp_path, write):
    storage = Storage("0", np.zeros(1000, np.float32))
    views = {f"w{i}": Tensor(storage, 0, (30, 30), (0, 0)) for i in range(500)}
    with pytest.raises(InputError, match="its tensors claim more than 16 times the"):
        read_pth(write(tmp_path / "x.pth", views))


@WRITERS
def test_tied_weights_are_read(tmp_path, write):
    storage = Storage("0", np.arange(1000, dtype=np.float32))
    views = {f"w{i}": Tensor(storage, 0, (1000,), (1,)) for i in range(4)}
    weights = read_pth(write(tmp_path / "x.pth", views))
    assert all(np.shares_memory(weights["w0"], array) for array in weights.values())


def test_shapes_are_compared_before_anything_is_copied():
    huge = np.broadcast_to(np.float32(0), (1 << 20, 1 << 20))  # 4 TiB, if anybody copied it
    names = Names((Name("w", "w", same), Name("v", "v", lambda array: array.T)))
    expected = {"w": ((2, 2), np.float32), "v": ((2, 2), np.float32)}
    with pytest.raises(InputError, match=r"2 of another shape .*v as v .*\[1048576, 1048576\]"):
        convert({"w": huge, "v": huge}, names, expected=expected)


def overlapping(path, count):
    """An archive whose entries all point at the same bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/data/0", bytes(1 << 16))
        first = archive.infolist()[-1]
        for i in range(1, count):
            twin = zipfile.ZipInfo(f"a/data/{i}")
            for name in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
        archive._didModify = True
    path.write_bytes(data.getvalue())
    return path


def test_entries_that_overlap_are_refused(tmp_path):
    with pytest.raises(InputError, match="entries overlap"):
        read_pth(overlapping(tmp_path / "x.pth", 200))


def test_an_archive_with_two_pickles_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("b/data.pkl", b"\x80\x02}.")
    with pytest.raises(InputError, match="it has 2 files data.pkl"):
        read_pth(tmp_path / "x.pth")


@WRITERS
def test_keys_of_thousands_of_digits_are_refused_in_a_short_line(tmp_path, write):
    for key in (10**6000, "9" * 6000):
        write(tmp_path / "x.pth", {key: 1, "w": tensor(np.zeros(2, np.float32), "0")})
        with pytest.raises(InputError) as error:
            state_dict(read_pth(tmp_path / "x.pth"))
        assert len(str(error.value)) < 400


HOSTILE = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from vosjax.checkpoints.pth import read_pth
from vosjax.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_pth(sys.argv[1])
except InputError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_reading_takes_no_more_memory_than_the_file_explains(tmp_path):
    path = overlapping(tmp_path / "x.pth", 2000)
    top = str(pathlib.Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(path), top], capture_output=True, text=True, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 32 << 20


def test_arrays_of_an_npz_come_back(tmp_path):
    arrays = {"a.b": np.arange(6.0).reshape(2, 3), "c": np.float32(1), "empty": np.zeros((0, 3))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        stored = read_npz(tmp_path / "x.npz")
        assert stored.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(stored[name], array)


def header(shape, dtype="<f4"):
    """An .npy file of a few bytes that claims a shape."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + bytes(64)


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("a.npy", header((10**13,)), "claims .10000000000000. float32"),
        ("a.npy", header((4,), "|O"), "holds objects"),
        ("a.npy", b"text", "no .npz file of arrays"),
        ("a.npy", header((16,)) + b"more", "longer than its array"),
        ("notes.txt", b"text", "no .npz file|no array"),
    ],
)
def test_an_npz_of_something_else_is_refused(tmp_path, name, data, words):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(name, data)
    with pytest.raises(InputError, match=words):
        read_npz(tmp_path / "x.npz")


def test_an_npz_that_would_fill_the_memory_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1 << 24, np.uint8))
    with pytest.raises(InputError, match="bytes claim to hold 16,777,"):
        read_npz(tmp_path / "x.npz")


def test_an_empty_or_missing_npz_is_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"")
    with pytest.raises(InputError, match="0 bytes"):
        read_npz(tmp_path / "x.npz")
    with pytest.raises(InputError, match="No such file"):
        read_npz(tmp_path / "y.npz")
    with pytest.raises(InputError, match="directory"):
        read_npz(tmp_path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    cut=st.floats(0.2, 1),
    compressed=st.booleans(),
)
def test_damaged_npz_files_are_read_right_or_refused(tmp_path, damage, cut, compressed):
    arrays = {"a": np.arange(50, dtype=np.float32), "b": np.arange(6).reshape(2, 3)}
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", **arrays)
    data = bytearray((tmp_path / "x.npz").read_bytes())
    for share, value in damage:
        data[int(share * len(data))] = value
    (tmp_path / "x.npz").write_bytes(data[: int(cut * len(data))])
    try:
        stored = read_npz(tmp_path / "x.npz")
    except InputError:
        return
    for name in stored.keys() & arrays.keys():
        np.testing.assert_array_equal(stored[name], arrays[name])
