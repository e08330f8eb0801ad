"""Digests of inputs: content decides, whatever names, sizes and times say."""

import hashlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax.errors import InputError
from vosjax.io.video import open_video
from vosjax.runs import digests


def test_a_file_is_its_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert digests.of_file(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert digests.of_files([path]) == digests.of_file(path) == digests.of_bytes(path.read_bytes())


def test_what_was_read_is_told_block_by_block(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file, size in zip(files, (2_500_000, 3)):
        file.write_bytes(b"x" * size)
    steps = []
    assert digests.of_files(files, progress=steps.append) == digests.of_files(files)
    assert sum(steps) == 2_500_003 and max(steps) <= 1 << 20


def test_times_do_not_count_and_content_does(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before, stat = digests.of_file(path), path.stat()
    os.utime(path, ns=(0, 0))
    assert digests.of_file(path) == before
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digests.of_file(path) != before


def test_of_several_files_names_and_order_count(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    a, b, c = (tmp_path / name for name in "abc")
    assert len({digests.of_files(files) for files in ([a, b], [b, a], [a, c], [a, b, c])}) == 4
    assert digests.of_files([]) is None


@settings(deadline=None)
@given(*2 * [st.lists(st.tuples(st.text("ab"), st.text("01", min_size=2, max_size=2)))])
def test_parts_do_not_run_into_each_other(parts, more):
    assert (digests.of_parts(parts) == digests.of_parts(more)) is (parts == more)


def test_label_maps_are_the_same_in_any_file():
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert digests.of_labels({0: labels}) == digests.of_labels({0: labels.copy()})
    others = ({1: labels}, {0: labels.T.copy()}, {0: labels + 1}, {0: labels, 1: labels})
    assert (
        len({digests.of_labels(other) for other in others} | {digests.of_labels({0: labels})}) == 5
    )


def test_what_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="lost is missing: check the path"):
        digests.of_file(tmp_path / "lost")
    with pytest.raises(InputError, match="a folder of that name"):
        digests.of_file(tmp_path)

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(digests, "open", refuse, raising=False)
    with pytest.raises(InputError, match="may not be read: check its permissions"):
        digests.of_file(tmp_path / "mine")


def test_arrays_have_no_files():
    assert open_video(np.zeros((2, 4, 4, 3), np.uint8)).files == ()
