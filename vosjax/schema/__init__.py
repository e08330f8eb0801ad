"""The schema of configuration: frozen dataclasses whose fields say what they may hold.

    @dataclasses.dataclass(frozen=True)
    class BenchConfig(Checked):
        repeats: int = setting(5, "rounds that are timed", least=1)

    parse(BenchConfig, {"repeats": 3})      BenchConfig(repeats=3)
    parse(BenchConfig, {"repeats": 0})      InputError: repeats is 0; at least 1 is expected ...
    parse(BenchConfig, {"repeat": 3})       InputError: there is no field 'repeat' (did you mean ...

Types, defaults and ranges stand in the class alone. An instance is valid however it was made: lists
become tuples, whole numbers become floats where floats are meant, mappings become the dataclasses
that they describe, and everything else is refused.
"""

from vosjax.schema.calls import checked_call, settings_of
from vosjax.schema.fields import NEVER, Checked, parse, partial, plain, replaced, setting, typed
from vosjax.schema.kinds import (
    ChangesOf,
    Count,
    Few,
    FieldError,
    Positive,
    Rule,
    Share,
    UnknownField,
)
from vosjax.schema.renames import modern

__all__ = [
    "NEVER",
    "ChangesOf",
    "Checked",
    "Count",
    "Few",
    "FieldError",
    "Positive",
    "Rule",
    "Share",
    "UnknownField",
    "checked_call",
    "modern",
    "parse",
    "partial",
    "plain",
    "replaced",
    "setting",
    "settings_of",
    "typed",
]
