"""A profile of chosen steps: where it is, which steps it has, and the regions that it names."""

import re

import pytest
from support import small
from support.traces import numbers, traces

from vosjax.errors import InputError, Note
from vosjax.runs import profile
from vosjax.train import loop

REGIONS = ("encode", "predict", "memory_read", "commit", "loss", "optimizer", "average")


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    small.install(monkeypatch)


def test_chosen_steps_are_traced_and_their_regions_named(tmp_path, capsys):
    loop.train(small.config(steps=6, profile=(2, 4)), output=tmp_path)
    (trace,) = traces(tmp_path)
    assert numbers(trace, "step") == [2, 3, 4]
    content = trace.read_bytes().decode("latin-1")
    named = {name for name in REGIONS if re.search(rf"[/(]{name}[/)]", content)}
    assert named == set(REGIONS)
    assert str(tmp_path / "tensorboard") in capsys.readouterr().out


def test_a_run_without_the_setting_has_no_trace(tmp_path):
    loop.train(small.config(steps=2), output=tmp_path)
    assert not traces(tmp_path)


def test_a_resumed_run_past_the_steps_makes_none(tmp_path):
    loop.train(small.config(steps=3), output=tmp_path)
    assert loop.train(small.config(steps=3, profile=(1, 2)), output=tmp_path).complete
    assert not traces(tmp_path)


def test_a_run_that_ends_in_between_has_what_there_is(tmp_path):
    loop.train(small.config(steps=3, profile=(2, 100)), output=tmp_path)
    assert numbers(*traces(tmp_path), "step") == [2, 3]


def test_profiling_changes_no_weight(tmp_path):
    plain = loop.train(small.config(steps=3), output=tmp_path / "plain").state
    traced = loop.train(small.config(steps=3, profile=(1, 3)), output=tmp_path / "traced").state
    for path, weight in plain.average.items():
        assert (weight == traced.average[path]).all()


@pytest.mark.parametrize("span", [(5, 3), (0, 3), (1,), 7])
def test_a_span_that_is_none_is_refused(span):
    with pytest.raises(InputError, match="config.train.profile"):
        small.config(profile=span)


def test_a_trace_that_cannot_be_written_is_noted_and_the_loop_goes_on(tmp_path):
    (tmp_path / "tensorboard").write_text("a file")
    made = profile.Profile(tmp_path, (0, 1)).over((i for i in range(3)), start=0)
    with pytest.warns(Note, match="there is no profile in"):
        assert list(made) == [0, 1, 2]


def test_one_profile_is_made_of_the_first_loop_that_has_the_frames(tmp_path):
    chosen = profile.Profile(tmp_path, (2, 3))
    for length in (2, 4, 4):
        assert list(chosen.over((i for i in range(length)), start=0, end=length)) == list(
            range(length)
        )
    assert numbers(*traces(tmp_path), "frame") == [2, 3]
    assert {path.name.partition(".")[2] for path in profile.files(tmp_path)} >= {"xplane.pb"}
