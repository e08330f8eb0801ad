"""The line about a training: how far it is, and how much time is left."""

import re
import time

from vosjax.train import progress


def shown(capsys):
    return capsys.readouterr().out


def test_a_row_is_a_line_with_the_time_left(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    line = progress.Progress(start=0, last=100)
    now[0] += 60  # compiling, and ten steps
    line.show(10, {"loss": 0.5, "rate": 1e-3})
    assert shown(capsys) == "step     10 of 100, 0:09:00 left  loss 0.5  rate 0.001\n"
    now[0] += 20  # ten steps at full speed: the time before does not count any more
    line.show(20, {"loss": 0.4})
    assert shown(capsys) == "step     20 of 100, 0:02:40 left  loss 0.4\n"
    now[0] += 160
    line.show(100, {"loss": 0.3})
    assert "100 of 100, 0:00:00 left" in shown(capsys)


def test_a_resumed_run_counts_its_own_steps_only(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    line = progress.Progress(start=90, last=100)
    now[0] += 5
    line.show(95, {"loss": 0.5})
    assert "0:00:05 left" in shown(capsys)


def test_a_terminal_keeps_the_newest_of_all_figures_and_shows_the_main_ones_first(
    capsys, monkeypatch
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    line = progress.Progress(start=0, last=4)
    line.show(1, {"rate": 1.0, "loss": 0.5, "validation_j": 0.25})
    line.show(2, {"rate": 1.0, "loss": 0.4})
    line.close()
    text = shown(capsys)
    assert text.count("\n") == 1
    last = text.split("\r")[-1]
    assert re.search(r"2 of 4, .* left  loss 0.4  validation_j 0.25  rate 1", last)
