"""Files are whole or absent, and their names fit, whatever they are made from."""

import errno
import json
import os
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax.errors import DiskFull
from vosjax.io import files
from vosjax.io.files import atomic, is_temporary, write_json
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


def test_a_mask_on_a_full_disk_is_absent_not_half(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(DiskFull, match="00003.png"):
        write_label_png(tmp_path / "00003.png", np.zeros((4, 4), np.uint8))
    assert not os.listdir(tmp_path)


def test_a_file_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    """A power cut leaves the old content or the new one, never an empty file of that name."""
    events = []

    def noted(name, function):
        def note(*arguments):
            events.append(name)
            return function(*arguments)

        return note

    monkeypatch.setattr(files.os, "fsync", noted("sync", os.fsync))
    monkeypatch.setattr(files.os, "replace", noted("name", os.replace))
    write_json(tmp_path / "a.json", [])
    assert events == ["sync", "name", "sync"]
    files.write_bytes(tmp_path / "b", b"", durable=False)
    assert events[3:] == ["name"]
    files.sync([tmp_path / "b", tmp_path / "lost"])
    assert events[4:] == ["sync", "sync"]


@pytest.mark.parametrize("letter", ["a", "ä", "字", "\udce9"])
@pytest.mark.parametrize("ending", ["", ".json", ".x" * 40])
def test_temporary_names_are_no_longer_than_the_final_name_may_be(tmp_path, letter, ending):
    size = len(os.fsencode(letter))
    name = letter * ((255 - len(ending)) // size) + ending
    files.write_bytes(tmp_path / name, b"whole")
    assert (tmp_path / name).read_bytes() == b"whole"
    with atomic(tmp_path / name) as temp:
        temp.write_bytes(b"half")
        assert is_temporary(temp) and len(os.fsencode(temp.name)) <= 255
        left = temp.with_name(temp.name)
    left.write_bytes(b"half")
    other = tmp_path / ".other.0123abcd.tmp"
    other.write_bytes(b"half")
    files.sweep(tmp_path, stem=pathlib.Path(name).stem if ending == ".json" else name)
    assert not left.exists() or ending.startswith(".x")
    assert other.exists()
    files.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_names_that_are_too_long_for_an_ending_are_told_apart():
    assert files.fitted("dog", ".json") == "dog.json"
    assert files.fitted("d" * 250, ".json") == "d" * 250 + ".json"
    one, other = files.fitted("d" * 255 + "a", ".json"), files.fitted("d" * 255 + "b", ".json")
    assert one != other and max(len(one), len(other)) <= 255 and one.endswith(".json")


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=300))
def test_any_name_fits(name):
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # half of a surrogate pair: no file bears it
        return
    fit = files.fitted(name, ".json")
    assert len(os.fsencode(fit)) <= 255
    assert fit == name + ".json" or len(os.fsencode(name)) > 250


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_json_gives_back_any_name(tmp_path_factory, name):
    path = tmp_path_factory.getbasetemp() / "any.json"
    files.write_json(path, {name: name})
    assert json.loads(path.read_text(encoding="utf-8")) == {name: name}
