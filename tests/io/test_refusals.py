"""A file system's refusal is one line that says why, and what to do about it."""

import errno
import os

import pytest

from vosjax.errors import DiskFull, InputError
from vosjax.io.files import write_json
from vosjax.io.refusals import disk_full, reading, writing


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_json(tmp_path / "out" / "a.json", [])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_put_into_words(code):
    with pytest.raises(DiskFull, match="disk full while writing x.png.*complete up to frame 7"):
        with disk_full("masks", frame=7), disk_full("x.png"):
            raise OSError(code, "full")


def test_other_errors_of_the_system_pass():
    with pytest.raises(PermissionError), disk_full("x"):
        raise PermissionError(errno.EACCES, "no")


REFUSALS = {
    errno.EACCES: "out/a.png may not be written: check its permissions",
    errno.EPERM: "out/a.png may not be written: check its permissions",
    errno.EROFS: "the file system is read-only",
    errno.EFBIG: "larger than the file system or `ulimit -f` allows",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links lead in a circle",
    errno.EIO: "the device reports an error",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_the_file_system_refuses_is_one_line_that_says_why(code):
    with pytest.raises(InputError) as error, writing("out/a.png"):
        raise OSError(code, os.strerror(code))
    assert REFUSALS[code] in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_file_that_may_not_be_read_is_not_called_damaged(code):
    with pytest.raises(InputError, match="a.png may not be read: check its permissions"):
        with reading("a.png"):
            raise OSError(code, os.strerror(code))


def test_what_is_missing_or_damaged_is_the_reader_s_affair():
    for error in (FileNotFoundError(errno.ENOENT, "no"), OSError("truncated")):
        with pytest.raises(OSError) as caught, reading("a.png"):
            raise error
        assert caught.value is error


def test_a_folder_below_a_file_is_told_by_the_file(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(InputError, match=r"notes is a file, not a folder"):
        write_json(tmp_path / "notes" / "deep" / "a.json", [])


def test_a_folder_in_a_file_s_place_is_told(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(InputError, match="a folder of that name is there"):
        write_json(tmp_path / "a.json", [])
    assert os.listdir(tmp_path) == ["a.json"]
