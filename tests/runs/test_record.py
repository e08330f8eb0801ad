"""run.json: what can be resumed in a folder, and what is said if nothing can."""

import json

import pytest

from vosjax.errors import InputError
from vosjax.runs import record
from vosjax.runs.hold import held

SETTINGS = {
    "video": "clip.mp4",
    "frames_sha256": "a" * 64,
    "masks_sha256": "b" * 64,
    "mem_every": 5,
}


@pytest.fixture
def folder(tmp_path):
    """The folder of a run with `SETTINGS`."""
    record.write(tmp_path / "out", SETTINGS, status="interrupted", frames=3, facts={})
    return tmp_path / "out"


def refused(folder, settings=SETTINGS, **options):
    with pytest.raises(InputError) as error:
        record.resume(folder, settings, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_same_settings_go_on(folder):
    assert record.resume(folder, SETTINGS)["frames"] == 3


def test_a_new_or_empty_folder_begins(tmp_path):
    assert record.resume(tmp_path / "new", SETTINGS) is None
    assert record.resume(tmp_path, SETTINGS) is None and not list(tmp_path.iterdir())


def test_what_changed_is_named(folder):
    line = refused(folder, SETTINGS | {"frames_sha256": "c" * 64, "mem_every": 3})
    assert "(frames: clip.mp4 has changed since; mem_every was 5, is now 3)" in line
    line = refused(folder, SETTINGS | {"masks_sha256": "c" * 64})
    assert 'masks changed: masks_sha256 was "bbb' in line


def test_a_record_without_digests_is_of_an_earlier_version(folder):
    old = {name: value for name, value in SETTINGS.items() if name != "frames_sha256"}
    record.write(folder, old, status="complete", frames=3, facts={})
    assert "a run of an earlier version" in refused(folder)
    assert "mem_every was 5, is now 3" in refused(folder, SETTINGS | {"mem_every": 3})


def test_other_files_are_named_and_locks_and_temporary_ones_are_not_counted(tmp_path):
    for name in (".lock", ".run.0123abcd.tmp.json"):
        (tmp_path / name).write_text("")
    assert record.resume(tmp_path, SETTINGS) is None
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("")
    for overwrite in (False, True):
        line = refused(tmp_path, overwrite=overwrite)
        assert "holds other files (0.txt, 1.txt, 2.txt and 2 more)" in line


@pytest.mark.parametrize("text", ['{"a": 1}', "[]", '{"settings": {}, "status": "complete"}'])
def test_a_run_json_of_something_else_is_someone_else_s(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    refused(tmp_path)
    refused(tmp_path, overwrite=True)


def test_overwrite_takes_a_run_of_any_settings_but_of_one_mode(folder):
    assert record.resume(folder, SETTINGS | {"mem_every": 1}, overwrite=True) is None
    line = refused(folder, {"data": "davis"}, overwrite=True)
    assert "a run of --mode segment, not of --mode eval" in line


@pytest.mark.parametrize("text", ["", "{", '{"settings": 1', "\xff", "[" * 100_000])
def test_a_damaged_record_can_be_overwritten_where_all_is_ours(folder, text):
    (folder / "run.json").write_text(text, encoding="latin-1")
    (folder / "masks").mkdir()
    assert "run.json is damaged" in refused(folder)
    assert record.resume(folder, SETTINGS, overwrite=True) is None
    (folder / "thesis.txt").write_text("mine")
    assert "run.json is damaged" in refused(folder, overwrite=True)


@pytest.mark.parametrize(
    "settings, mode",
    [
        ({"video": ""}, "segment"),
        ({"data": "", "runs": []}, "fuse"),
        ({"data": ""}, "eval"),
        ({"render": {}}, "render"),
        ({"unpack": ""}, "unpack"),
    ],
)
def test_settings_tell_their_mode(settings, mode):
    assert record.kind(settings) == mode


def test_a_folder_is_held_and_cleared_only_if_it_is_ours(folder, tmp_path):
    made = folder / "made.txt"
    made.write_text("made")
    with held(folder, SETTINGS, overwrite=False, files=lambda: [made]) as before:
        assert before["frames"] == 3 and made.exists() and (folder / ".lock").exists()
    with held(folder, SETTINGS, overwrite=True, files=lambda: [made]) as before:
        assert before is None and not made.exists()
        assert json.loads((folder / "run.json").read_text())["frames"] == 3
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "made.txt").write_text("theirs")
    with pytest.raises(InputError, match="holds other files"):
        with held(theirs, SETTINGS, overwrite=True, files=lambda: [theirs / "made.txt"]):
            pass
    assert [path.name for path in theirs.iterdir()] == ["made.txt"]
