"""scores.csv: written frame by frame, resumed where it stopped, whole on a full disk."""

import csv
import errno

import pytest

from vosjax.errors import DiskFull, InputError
from vosjax.io import scores as table_module
from vosjax.io.scores import ObjectScore, ScoreWriter, mean_scores


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def scores(*ids):
    return [ObjectScore(i, 0.91234, 0.5, 12, False) for i in ids]


def test_scores_are_written_a_frame_at_a_time(tmp_path):
    table = ScoreWriter(tmp_path / "scores.csv")
    table.write(0, "a", scores(3, 7))
    table.write(1, 'b,"c"', [ObjectScore(3, 0.0, 0.0, 0, True)])
    assert rows(tmp_path / "scores.csv") == [  # while the table is still open
        ["frame", "name", "object", "mean_probability", "margin", "area", "absent"],
        ["0", "a", "3", "0.9123", "0.5000", "12", "0"],
        ["0", "a", "7", "0.9123", "0.5000", "12", "0"],
        ["1", 'b,"c"', "3", "0.0000", "0.0000", "0", "1"],
    ]
    table.close()


def test_scores_resume_after_the_last_complete_frame(tmp_path):
    path = tmp_path / "scores.csv"
    with ScoreWriter(path) as table:
        for frame in range(5):
            table.write(frame, f"f{frame}", scores(1, 2))
    whole = path.read_bytes()
    path.write_bytes(whole[:-15])  # killed in the middle of a row
    with ScoreWriter(path, resume=3) as table:
        for frame in range(3, 5):
            table.write(frame, f"f{frame}", scores(1, 2))
    assert path.read_bytes() == whole


def test_scores_start_anew_without_resume(tmp_path):
    for _ in range(2):
        with ScoreWriter(tmp_path / "scores.csv") as table:
            table.write(0, "a", scores(1))
    assert len(rows(tmp_path / "scores.csv")) == 2


def test_scores_resume_without_an_old_table(tmp_path):
    with ScoreWriter(tmp_path / "scores.csv", resume=4) as table:
        table.write(4, "a", scores(1))
    assert [row[0] for row in rows(tmp_path / "scores.csv")] == ["frame", "4"]


def test_another_table_is_not_overwritten_by_a_resume(tmp_path):
    (tmp_path / "scores.csv").write_text("my,own,table\n1,2,3\n")
    with pytest.raises(InputError, match="no table of scores"):
        ScoreWriter(tmp_path / "scores.csv", resume=1)
    assert (tmp_path / "scores.csv").read_text() == "my,own,table\n1,2,3\n"


class Disk:
    """Opens files for `ScoreWriter`; once `free` is set, so many bytes can still be written."""

    free = None

    def open(self, *args, **kwargs):
        self.file = open(*args, **kwargs)
        return self

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if self.free is None:
            return self.file.write(data)
        if not self.free:
            raise OSError(errno.ENOSPC, "No space left on device")
        written, self.free = self.file.write(data[: self.free]), 0
        return written


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(table_module, "open", disk.open, raising=False)
    return disk


def test_scores_on_a_full_disk_keep_whole_frames(tmp_path, disk):
    path = tmp_path / "scores.csv"
    with ScoreWriter(path) as table:
        table.write(0, "a", scores(1, 2))
        whole = path.read_bytes()
        disk.free = 5
        with pytest.raises(DiskFull, match="scores.csv.*complete up to frame 0"):
            table.write(1, "b", scores(1, 2))
    assert path.read_bytes() == whole


def test_a_full_disk_at_the_first_frame_says_so(tmp_path, disk):
    with ScoreWriter(tmp_path / "scores.csv") as table:
        disk.free = 5
        with pytest.raises(DiskFull, match="no frame is complete"):
            table.write(0, "a", scores(1))


def test_rows_of_a_table_are_those_that_were_written(tmp_path):
    path = tmp_path / "scores.csv"
    with ScoreWriter(path) as table:
        written = {frame: table.write(frame, 'b,"c"', scores(*range(frame))) for frame in range(4)}
    del written[0]  # a frame without objects has no rows
    assert table_module.rows_by_frame(path) == written
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert table_module.rows_by_frame(path)[3] == b"".join(written[3].splitlines(keepends=True)[:2])


def test_a_name_that_is_no_utf_8_is_written_escaped(tmp_path):
    with ScoreWriter(tmp_path / "scores.csv") as table:
        table.write(0, "caf\udce9", scores(1))
    assert rows(tmp_path / "scores.csv")[1][1] == "caf\\udce9"


@pytest.mark.parametrize("code", [errno.EROFS, errno.EFBIG, errno.EACCES])
def test_a_table_that_cannot_be_written_says_why(tmp_path, monkeypatch, code):
    def refuse(*args, **kwargs):
        raise OSError(code, "no")

    monkeypatch.setattr(table_module, "open", refuse, raising=False)
    with pytest.raises(InputError, match="scores.csv (cannot|may not) be written"):
        ScoreWriter(tmp_path / "scores.csv")


def test_the_mean_score_of_an_object_is_over_the_frames_in_which_it_is_seen(tmp_path):
    with ScoreWriter(tmp_path / "scores.csv") as table:
        table.write(0, "a", [ObjectScore(3, 0.9, 0, 5, False), ObjectScore(7, 0, 0, 0, True)])
        table.write(1, "b", [ObjectScore(3, 0.5, 0, 5, False), ObjectScore(7, 0, 0, 0, True)])
        table.write(2, 'c,"d"', [ObjectScore(3, 0.0, 0, 0, True), ObjectScore(7, 0, 0, 0, True)])
    assert mean_scores(tmp_path / "scores.csv") == {3: pytest.approx(0.7)}
