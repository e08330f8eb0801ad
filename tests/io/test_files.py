"""Files are whole or absent, and full disks are put into words."""

import errno
import json
import os

import numpy as np
import pytest

from vosjax.errors import DiskFull, InputError
from vosjax.io import files
from vosjax.io.files import atomic, disk_full, write_json
from vosjax.io.palette import write_label_png


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "a.json", {"ä": 1})
    with pytest.raises(RuntimeError):
        with atomic(tmp_path / "a.json") as temp:
            temp.write_text("half")
            raise RuntimeError
    assert json.loads((tmp_path / "a.json").read_text()) == {"ä": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_folders_are_made(tmp_path):
    write_json(tmp_path / "new" / "deep" / "a.json", [])
    assert (tmp_path / "new" / "deep" / "a.json").exists()


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


def test_a_mask_on_a_full_disk_is_absent_not_half(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(DiskFull, match="00003.png"):
        write_label_png(tmp_path / "00003.png", np.zeros((4, 4), np.uint8))
    assert not os.listdir(tmp_path)
