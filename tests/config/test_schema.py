"""Fields state which values they allow; instances are valid however they are made."""

import dataclasses
import re
import typing
from typing import NamedTuple

import numpy as np
import pytest

from vosjax.config import Config, as_config_dict, parsed
from vosjax.config.modes import BenchConfig
from vosjax.data.config import ClipsConfig, timed
from vosjax.errors import InputError
from vosjax.loading import config as loading
from vosjax.loading.ensembles import AVERAGES
from vosjax.schema import Checked, parse, partial, plain, replaced, setting
from vosjax.schema.kinds import class_of, hints
from vosjax.train.config import TrainConfig
from vosjax.voting.keypoints import METHODS


class Point(NamedTuple):
    """A NamedTuple as a part."""

    x: float = 0.0
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Part(Checked):
    """A part."""

    share: float = setting(0.5, "a share", least=0, most=1)
    kind: str = setting("a", "a kind", choices=("a", "b"))


@dataclasses.dataclass(frozen=True)
class Whole(Checked):
    """Something that is made of parts."""

    count: int = setting(1, "how many", least=1)
    rate: float = setting(1.0, "how fast", above=0)
    maybe: int | None = setting(None, "or not", least=1)
    words: tuple[str, ...] = setting((), "regular expressions", pattern=True)
    sizes: tuple[tuple[int, int], ...] = setting(((1, 2),), "sizes", least=1, filled=True)
    part: Part = setting(Part(), "a part")
    parts: tuple[Part, ...] = setting((), "parts")
    point: Point = setting(Point(), "a point")


def test_values_are_brought_to_their_types():
    whole = parse(
        Whole,
        {
            "rate": 2,
            "sizes": [[3, 4]],
            "part": {"share": 1},
            "parts": [{"kind": "b"}],
            "point": {"x": 1},
            "count": np.int64(3),
        },
    )
    assert whole.rate == 2.0 and isinstance(whole.rate, float) and type(whole.count) is int
    assert whole.sizes == ((3, 4),) and whole.part == Part(1.0)
    assert whole.parts == (Part(kind="b"),) and whole.point == Point(1.0)


@pytest.mark.parametrize(
    "values, said",
    [
        ({"count": 0}, "count is 0; at least 1 is expected (how many)"),
        ({"count": 1.5}, "count is 1.5; a whole number is expected"),
        ({"count": True}, "count is True; a whole number is expected"),
        ({"count": "1"}, "count is '1'; a whole number is expected"),
        ({"rate": 0}, "rate is 0.0; a number above 0 is expected (how fast)"),
        ({"rate": float("nan")}, "rate is nan; a finite number is expected"),
        ({"rate": float("inf")}, "rate is inf; a finite number is expected"),
        ({"maybe": 0}, "maybe is 0; at least 1 is expected (or not)"),
        ({"maybe": "x"}, "maybe is 'x'; a whole number or None is expected"),
        ({"words": ("a", "[")}, "words[1] is '['; a regular expression is expected"),
        ({"words": "a"}, "words is 'a'; a tuple is expected"),
        ({"sizes": ()}, "sizes is empty; at least one is expected (sizes)"),
        ({"sizes": ((1, 0),)}, "sizes[0][1] is 0; at least 1 is expected"),
        ({"sizes": ((1,),)}, "sizes[0] is (1,); a tuple of 2 is expected"),
        ({"part": {"share": 2}}, "part.share is 2.0; at least 0 and at most 1 is expected"),
        ({"part": {"kind": "c"}}, "part.kind is 'c'; there are a, b (a kind)"),
        ({"part": 3}, "part is 3; a dict is expected"),
        ({"parts": [{}, {"shar": 1}]}, "parts[1] has no field 'shar' (did you mean 'share'?)"),
        ({"point": {"z": 1}}, "point has no field 'z'"),
        ({"point": {"x": "a"}}, "point.x is 'a'; a number is expected"),
        ({"cuont": 1}, "has no field 'cuont' (did you mean 'count'?)"),
    ],
)
def test_what_a_field_cannot_hold_is_named_with_what_it_can(values, said):
    with pytest.raises(InputError, match=re.escape(said)):
        parse(Whole, values)


def test_an_instance_made_by_hand_is_checked_too():
    with pytest.raises(ValueError, match="steps is 0; at least 1"):
        TrainConfig(steps=0)
    assert TrainConfig(milestones=[3]).milestones == (3,)


def test_some_fields_can_be_laid_over_others_at_any_depth():
    changes = partial(Whole, {"part": {"share": 1}, "point": {"y": 2}, "count": 2})
    changed = replaced(Whole(), changes)
    assert changed == Whole(count=2, part=Part(share=1.0), point=Point(0.0, 2.0))
    with pytest.raises(InputError, match="part.share is 2.0"):
        partial(Whole, {"part": {"share": 2}})


def test_written_out_it_can_be_read_again():
    whole = Whole(parts=(Part(), Part(kind="b")), words=("a",), point=Point(1.0, 2.0))
    assert parse(Whole, plain(whole)) == whole
    assert plain(whole)["point"] == {"x": 1.0, "y": 2.0}


def test_a_config_survives_the_way_through_a_config_dict():
    config = Config(train=TrainConfig(lr=1e-3), data=ClipsConfig(phases=[{"start": 5, "skip": 2}]))
    assert parsed(as_config_dict(config)) == config


def fields_of(kind, above=""):
    for name, hint in hints(kind).items():
        yield kind, name, f"{above}{name}"
        if class_of(hint):
            yield from fields_of(class_of(hint), f"{above}{name}.")


def doc_of(kind, name):
    if dataclasses.is_dataclass(kind):
        (field,) = (field for field in dataclasses.fields(kind) if field.name == name)
        return field.metadata["doc"]
    hint = hints(kind)[name]
    return "a part" if class_of(hint) else typing.get_args(hint)[1].doc


@pytest.mark.parametrize(
    "kind, name", [pytest.param(kind, name, id=path) for kind, name, path in fields_of(Config)]
)
def test_every_field_of_a_config_has_a_type_and_a_line(kind, name):
    assert hints(kind)[name] and doc_of(kind, name) and "\n" not in doc_of(kind, name)


def test_ranges_of_the_clips_settings_hold_at_any_depth():
    for changes, said in (
        ({"stills_settings": {"lift": 2}}, "stills_settings.lift is 2.0; at least 0 and at most 1"),
        ({"stills_settings": {"scene": {"twin": -1}}}, "stills_settings.scene.twin is -1.0"),
        ({"rendered_settings": {"objects": (0, 3)}}, r"rendered_settings.objects\[0\] is 0"),
        ({"rendered_settings": {"colour": {"grey": 3}}}, "rendered_settings.colour.grey is 3.0"),
    ):
        with pytest.raises(InputError, match=said):
            parse(ClipsConfig, changes)


def test_a_config_file_gets_a_typed_place_for_what_may_be_none():
    made = as_config_dict(Config())
    made.mem_every = 3
    with pytest.raises(TypeError):
        made.mem_every = "three"


@pytest.mark.parametrize(
    "changes, said",
    [
        (dict(balance_low=9, balance_high=3), "balance_high is 3; at least balance_low, 9"),
        (dict(train=TrainConfig()), "train and data belong together"),
    ],
)
def test_fields_that_do_not_fit_together_are_named(changes, said):
    with pytest.raises(InputError, match=said):
        Config(**changes)


def test_a_share_that_falls_before_it_begins_is_named():
    with pytest.raises(InputError, match="hard_end is 0.1; at least hard_begin, 0.5"):
        TrainConfig(hard_begin=0.5, hard_end=0.1)


@pytest.mark.parametrize("start", [0, 5])
def test_phases_rise(start):
    with pytest.raises(InputError, match=rf"phases\[1\].start is {start}; a step above 5"):
        ClipsConfig(phases=({"start": 5}, {"start": start}))


@pytest.mark.parametrize(
    "phases, said",
    [
        (({"after": 0.5}, {"after": 0.5}), r"phases\[1\].after is 0.5; a share above 0.5"),
        (({"after": 0},), r"phases\[0\].after is 0.0; a share above 0"),
        (({"after": 1.0},), r"phases\[0\].after is 1.0; a share of the steps below 1"),
        (({"start": 3, "after": 0.5},), r"phases\[0\] has start and after: give one of them"),
    ],
)
def test_phases_after_a_share_of_the_steps_rise_and_end_before_the_stage(phases, said):
    with pytest.raises(InputError, match=said):
        ClipsConfig(phases=phases)


@pytest.mark.parametrize("steps, starts", [(1000, [500, 900]), (3, [1, 2])])
def test_a_share_of_the_steps_becomes_a_step(steps, starts):
    config = ClipsConfig(phases=({"after": 0.5}, {"after": 0.9, "plain": True}))
    assert [phase["start"] for phase in timed(config, steps).phases] == starts
    assert timed(config, steps).phases[1]["plain"]


def test_choices_are_those_that_are_implemented():
    assert loading.FUSIONS == (*AVERAGES, "keypoints")
    assert loading.KEYPOINTS == tuple(METHODS)


def test_the_bench_asks_for_something():
    for name in ("models", "sizes", "objects", "memory"):
        with pytest.raises(InputError, match=f"{name} is empty; at least one is expected"):
            BenchConfig(**{name: ()})
