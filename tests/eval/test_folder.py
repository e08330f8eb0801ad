"""What counts as a finished video, and what a killed run may leave in the folder."""

import numpy as np
import pytest
from support.results_folder import dataset

from vosjax.eval import folder, videos
from vosjax.eval.engine import EngineOutput
from vosjax.io.files import is_temporary


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    return videos.discover(dataset(tmp_path_factory.mktemp("data"), counts=(("cow", 3),)))[0]


def write(out, sequence, *, frames=3, packed=True, finish=True):
    writer = folder.Writer(out, sequence, (1, 2))
    for index in range(frames):
        writer.write(
            EngineOutput(
                index,
                np.zeros((48, 64), np.uint8),
                np.zeros((2, 3), np.float32),
                np.zeros((2, 4, 4), np.uint8) if packed else None,
            )
        )
    if finish:
        writer.finish({"name": "cow"})
    writer.close()


@pytest.mark.parametrize(
    "file",
    ["masks/cow/00001.png", "probabilities/cow/00001.npz", "scores/cow.csv", "videos/cow.json"],
)
def test_a_video_that_lacks_a_file_is_not_finished(tmp_path, sequence, file):
    write(tmp_path, sequence)
    assert folder.done(tmp_path, sequence)["name"] == "cow"
    (tmp_path / file).unlink()
    assert folder.done(tmp_path, sequence) is None


def test_probabilities_are_wanted_only_of_runs_that_keep_them(tmp_path, sequence):
    write(tmp_path, sequence, packed=False)
    assert folder.done(tmp_path, sequence) and not (tmp_path / "probabilities").exists()


def test_a_video_that_is_run_again_and_killed_is_not_finished(tmp_path, sequence):
    write(tmp_path, sequence)
    write(tmp_path, sequence, frames=1, finish=False)
    assert folder.done(tmp_path, sequence) is None


def test_half_written_files_are_swept_when_their_video_runs_again(tmp_path, sequence):
    write(tmp_path, sequence)
    left = [
        tmp_path / name
        for name in (
            "masks/cow/.00001.0123abcd.tmp.png",
            "probabilities/cow/.00001.0123abcd.tmp.npz",
            "scores/.cow.0123abcd.tmp.csv",
            "videos/.cow.0123abcd.tmp.json",
        )
    ]
    other = tmp_path / "videos" / ".dog.0123abcd.tmp.json"  # which another process may be writing
    for path in (*left, other):
        assert is_temporary(path)
        path.write_bytes(b"half")
    write(tmp_path, sequence)
    assert not any(path.exists() for path in left) and other.exists()


def test_a_half_written_failure_is_not_read(tmp_path):
    folder.fail(tmp_path, "cow", ValueError("torn"))
    (tmp_path / "failed" / ".dog.0123abcd.tmp.json").write_text('{"na')
    assert folder.failures(tmp_path) == {"cow": "torn"}
