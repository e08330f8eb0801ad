"""Locks keep processes apart, end with them however they end, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys

import pytest

from vosjax.io import lock
from vosjax.io.files import is_temporary
from vosjax.io.lock import Held, locked

HOLDER = """
import sys
from vosjax.io import lock
if sys.argv[2] == "file":
    lock.fcntl = None
with lock.locked(sys.argv[1], what="out"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["flock", "file"])
def kind(request, monkeypatch):
    """Locks of the operating system, and the files that stand in for them."""
    if request.param == "file":
        monkeypatch.setattr(lock, "fcntl", None)
    return request.param


@pytest.fixture
def other(tmp_path, kind):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "out" / ".lock", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_is_gone_at_the_end_with_its_file(tmp_path, kind):
    for _ in range(2):
        with locked(tmp_path / "new" / ".lock", what="new"):
            facts = json.loads((tmp_path / "new" / ".lock").read_text())
            assert facts["process"] == os.getpid()
        assert not (tmp_path / "new").exists()


def test_a_folder_that_was_made_for_it_stays_if_something_is_in_it(tmp_path, kind):
    for _ in range(2):
        with locked(tmp_path / "new" / ".lock", what="new"):
            (tmp_path / "new" / "result").write_text("")
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["result"]
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "empty" / ".lock", what="empty"):
        pass
    assert (tmp_path / "empty").exists()


def test_an_error_gives_the_lock_back(tmp_path, kind):
    with pytest.raises(RuntimeError), locked(tmp_path / ".lock", what="it"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_two_in_one_process_are_kept_apart_too(tmp_path, kind):
    with locked(tmp_path / ".lock", what="it"):
        with pytest.raises(Held), locked(tmp_path / ".lock", what="it"):
            pass
        with locked(tmp_path / ".other", what="another"):
            pass


def test_one_line_says_who_holds_it(tmp_path, kind, other):
    with pytest.raises(Held) as error, locked(tmp_path / "out" / ".lock", what="out"):
        pass
    line = str(error.value)
    assert line.startswith(f"out is in use by process {other.pid} on ") and "\n" not in line
    assert "name another --output" in line


def test_a_lock_ends_with_its_process(tmp_path, kind, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / "out" / ".lock").exists()
    with locked(tmp_path / "out" / ".lock", what="out"):
        pass
    assert not list((tmp_path / "out").iterdir())


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(tmp_path):
    path = tmp_path / ".lock"
    with locked(path, what="out", shared=True):
        with locked(path, what="out", shared=True):
            pass
        assert path.exists()  # the last one removes it
        with pytest.raises(Held), locked(path, what="out"):
            pass
    assert not path.exists()


def test_a_number_that_another_process_bears_now_is_no_owner(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    with locked(tmp_path / ".lock", what="out"):
        facts = json.loads((tmp_path / ".lock").read_text())
    (tmp_path / ".lock").write_text(json.dumps(facts | {"began": "1"}))
    with locked(tmp_path / ".lock", what="out"):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 1}', '{"host": "elsewhere"}'])
def test_a_file_that_does_not_say_who_holds_it_is_not_taken_over(tmp_path, monkeypatch, text):
    monkeypatch.setattr(lock, "fcntl", None)
    (tmp_path / ".lock").write_text(text)
    with pytest.raises(Held, match="by another process.*remove .*lock"):
        with locked(tmp_path / ".lock", what="out"):
            pass


def test_a_lock_of_another_machine_is_not_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    facts = {"process": 2**22 + 1, "host": "elsewhere", "since": "long ago", "began": ""}
    (tmp_path / ".lock").write_text(json.dumps(facts))
    with pytest.raises(Held, match="on elsewhere since long ago"):
        with locked(tmp_path / ".lock", what="out"):
            pass


def test_a_file_system_without_locks_gets_a_file(tmp_path, monkeypatch):
    def unknown(*arguments):
        raise OSError(lock.errno.ENOLCK, "no locks")

    monkeypatch.setattr(lock.fcntl, "flock", unknown)
    with locked(tmp_path / ".lock", what="out"):
        with pytest.raises(Held), locked(tmp_path / ".lock", what="out"):
            pass
        with locked(tmp_path / ".lock", what="out", shared=True):
            pass
    assert not list(tmp_path.iterdir())


def test_a_lock_is_no_temporary_file_that_a_sweep_would_take():
    assert not is_temporary(lock.NAME) and not is_temporary(".dog.lock")
