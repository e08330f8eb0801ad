"""Signals during work: the first is noted, the second ends it, and handlers are restored."""

import os
import signal
import threading

import pytest

from vosjax.runs.signals import stop_signals, unless_stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_said(number, capsys):
    before = signal.getsignal(number)
    with stop_signals("stopping") as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop == [number]
    assert signal.getsignal(number) is before
    assert capsys.readouterr().out == "stopping\n"


def test_a_second_one_ends_at_once():
    with pytest.raises(KeyboardInterrupt), stop_signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_work_that_gives_way_ends_with_the_signal():
    def work():
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            pass

    with stop_signals() as stop:
        assert unless_stopped(stop, lambda: 7) == 7
        assert unless_stopped(stop, work) is None
        assert stop == [signal.SIGTERM]
        assert unless_stopped(stop, lambda: 7) is None  # it is not begun any more


def test_other_work_does_not_give_way():
    with stop_signals() as stop:
        unless_stopped(stop, lambda: None)
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop == [signal.SIGTERM]


def test_in_another_thread_signals_are_someone_else_s():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with stop_signals() as stop:
            seen.append((signal.getsignal(signal.SIGINT) is before, stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(True, [])]
