"""Every field of the schema accepts values in its range, and refuses others by its name."""

import dataclasses
import math
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax import cli, models
from vosjax.config import Config, parsed
from vosjax.config.overrides import laid
from vosjax.errors import InputError
from vosjax.schema import FieldError, parse
from vosjax.schema.kinds import class_of, hints

HOSTILE = [
    None, True, 0, -1, 1, 2.5, -0.0, 1e-300, 1e300, 10**18, -(10**18), 10**400, math.nan, math.inf,
    -math.inf, "", "text", "1", "\0", "x" * 5000, "\udce9", "(", "(" * 5000,
    "a{99999999999}", "[[", [], [1], [[1]], [None], ["a"], {},
    {"a": 1}, {1: 2}, {"": None}, object(), (1, 2, 3), [10**400], b"bytes", {1, 2}, [float("nan")],
]  # fmt: skip
TEXTS = [
    "", "0", "-1", "nan", "inf", "1e999", "1.5", "text", "None", "(1,2)", "()", "[", "{}", "1,,2",
    "{'a':1}", "9" * 5000, "1" + "0" * 18, "True", "\0", "\udce9", "-" * 5000, "(" * 5000, ",",
    "x" * 5000, "[[[1]]]", "[[", "a{99999999999}", "lambda: 0", "__import__('os')", "*",
    "\n", "0x10", "1_000", "²",
]  # fmt: skip


def paths(kind, above=()):
    """(class, field, dotted name) of all fields, at any depth."""
    for name, hint in hints(kind).items():
        inner = class_of(hint)
        yield kind, name, ".".join((*above, name))
        if inner is not None:
            yield from paths(inner, (*above, name))


FIELDS = list(paths(Config))
CLASSES = sorted({kind for kind, _, _ in FIELDS}, key=lambda kind: kind.__name__)


def within(kind, value):
    """Whether an accepted value is finite and of no monstrous size."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= 2**32


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_field_takes_a_value_of_its_range_or_names_itself(kind):
    required = {
        field.name: "x"
        for field in (dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ())
        if field.default is field.default_factory is dataclasses.MISSING
    }
    for name in hints(kind):
        for value in HOSTILE:
            try:
                taken = getattr(parse(kind, required | {name: value}), name)
            except FieldError as error:
                assert str(error) and "\n" not in str(error) and len(str(error)) < 1000
                continue
            assert within(kind, taken), (name, value)


def test_a_field_that_is_a_number_has_a_range():
    """A number without any bound is one that nobody thought about."""
    for kind in CLASSES:
        if not dataclasses.is_dataclass(kind):
            continue
        for field in dataclasses.fields(kind):
            numbers = {int, float} & set(_scalars(hints(kind)[field.name]))
            bounds = ("least", "above", "most", "choices")
            known = any(field.metadata.get(bound) is not None for bound in bounds)
            assert not numbers or known or field.metadata["pattern"], f"{kind}.{field.name}"


def _scalars(hint):
    inner = [kind for member in typing.get_args(hint) for kind in _scalars(member)]
    return inner or [hint]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FIELDS), st.sampled_from(TEXTS) | st.text(max_size=8))
def test_an_override_is_taken_or_refused(field, text):
    values = {"train": {}, "data": {}}
    try:
        parsed(laid(values, field[2], text, note=lambda old, new: None))
    except InputError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcm.[]0123456789 =-'\"\\_é", max_size=12), st.sampled_from(TEXTS))
def test_any_name_of_a_field_is_taken_or_refused(name, text):
    try:
        parsed({}, [f"{name}={text}"])
    except InputError as error:
        assert "\n" not in str(error)


NAMES = ("mem_every", "top_k", "overlay", "tta.scales", "eval.chunk", "bench.sizes", "members")
SAMPLE = [f"{name}={text}" for name in NAMES for text in ("-1", "nan", "(", "x", "1" + "0" * 22)]


@pytest.mark.parametrize("override", SAMPLE)
def test_the_command_refuses_it_in_one_line(override, capfd):
    code = cli.main(["segment", f"--config.{override}"])
    err = capfd.readouterr().err
    assert code == 2 and err.count("\n") == 1 and "config." in err


@pytest.mark.parametrize("family", ["aot", "aost", "deaot", "stcn", "famnet"])
def test_a_networks_setting_is_taken_or_refused(family):
    for name in models.settings(family):
        for value in (0, -1, 10**18, math.nan, math.inf, "text", [], [1], {}, "../x", ""):
            try:
                models.build(family, **{name: value})
            except InputError as error:
                assert "\n" not in str(error)
                continue
            harmless = value in (0, "") or name == "kernel"  # of any width
            assert harmless, (name, value)
