"""Finds the weights in what training code stores: inside containers, behind wrappers' prefixes.

A checkpoint is seldom a bare state dict. The weights are under some name, and wrappers of the
network (DataParallel, torch.compile, averaging, Lightning) put prefixes before every key. Both are
removed, with a warning.
"""

import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from vosjax.errors import InputError, Note

# Names of weights, in the order in which they are looked for; plain ones come before averaged ones.
CONTAINERS = (
    "state_dict",
    "model",
    "network",
    "model_state_dict",
    "model_state",
    "net",
    "module",
    "weights",
    "params",
    "ema",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema_model",
    "params_ema",
    "shadow",
)
# Prefixes of wrappers and the names of these, in the same order.
PREFIXES = {
    "model.": "Lightning, or another wrapper",
    "network.": "a wrapper",
    "net.": "a wrapper",
    "online_model.": "an average's plain weights",
    "ema_model.": "an average",
    "model_ema.": "an average",
    "ema.": "an average",
    "shadow.": "an average",
}
PARALLEL, COMPILED = "module.", "_orig_mod."
COUNTERS = ("n_averaged", "initted", "step", "num_updates", "decay")  # keys beside averages
DEEPEST = 3  # most containers within each other


def state_dict(obj: Any, *, own: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Returns the weights in an object that `pth.read_pth` returned, by the network's own names.

        state = state_dict(read_pth("aot_r50.pth"))

    They are under one of CONTAINERS (the first that holds arrays, and so on inside it), or are the
    object itself. A leading 'module.' (DataParallel), '_orig_mod.' anywhere (torch.compile), and
    the PREFIXES that all keys have are removed. A warning says what was taken if there was a
    choice, and what was removed.

    Args:
        obj: the object that was read.
        own: the network's own names, as far as they are known; a prefix of theirs is not removed.

    Raises:
        InputError: there is no dict of arrays, or two names become one without their prefix.
    """
    notes: list[str] = []
    weights = _found(obj, notes)
    state = {}
    for key, value in weights.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            raise InputError(
                f"the checkpoint is no state dict: {shown(key)} is {type(value).__name__}, a "
                "tensor is expected"
            )
        state[key] = value
    prefixes = [p for p in PREFIXES if not any(name.startswith(p) for name in own)]
    state = _unwrapped(state, prefixes, notes)
    if notes:
        warnings.warn(f"the checkpoint: {'; '.join(notes)}", Note, stacklevel=2)
    return state


def shown(key: Any) -> str:
    """Returns a key in the short form for messages, whatever it is.

    shown("encoder.weight")      # "'encoder.weight'"
    """
    if isinstance(key, int) and key.bit_length() > 64:
        return f"a number of {key.bit_length()} bits"
    text = repr(key[:200] if isinstance(key, str | bytes) else key)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _found(obj: Any, notes: list[str]) -> dict[Any, Any]:
    """Finds the dict of arrays in an object, down through its containers."""
    path: list[str] = []
    while isinstance(obj, dict) and len(path) < DEEPEST:
        inside = [name for name in CONTAINERS if _holds_arrays(obj.get(name), DEEPEST)]
        if not inside:
            break
        if inside[1:]:
            others = " and ".join(repr(name) for name in inside[1:])
            notes.append(f"weights stand under {inside[0]!r} and under {others}: the first is read")
        path.append(inside[0])
        obj = obj[inside[0]]
    if path[1:]:
        notes.append(f"its weights stand under {'/'.join(path)!r}")
    if not isinstance(obj, dict) or not obj:
        raise InputError(
            f"the checkpoint holds {type(obj).__name__}, a state dict is expected: alone, or under "
            f"{', '.join(map(repr, CONTAINERS[:3]))} and the like"
        )
    return obj


def _holds_arrays(value: Any, depth: int) -> bool:
    if not isinstance(value, dict) or not depth:
        return False
    return any(isinstance(item, np.ndarray) for item in value.values()) or any(
        _holds_arrays(value.get(name), depth - 1) for name in CONTAINERS
    )


def _unwrapped(
    state: dict[str, np.ndarray], prefixes: list[str], notes: list[str]
) -> dict[str, np.ndarray]:
    """Returns the same arrays without the prefixes of wrappers."""
    while True:
        before = state
        state = _without_counters(state, notes)
        if any(COMPILED in key for key in state):
            state = _renamed(state, lambda key: key.replace(COMPILED, ""), COMPILED)
            notes.append(f"{COMPILED!r} of torch.compile is taken off its names")
        if any(_bears(key, PARALLEL) for key in state):
            state = _renamed(state, lambda key: key.removeprefix(PARALLEL), PARALLEL)
            notes.append(f"{PARALLEL!r} of DataParallel is taken off its names")
        state = _without_prefix(state, prefixes, notes)
        if state.keys() == before.keys():
            return state


def _without_counters(state: dict[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    counters = [key for key in COUNTERS if key in state and state[key].size == 1]
    if counters:
        notes.append(f"left out are {', '.join(counters)}, of an average")
    return {key: value for key, value in state.items() if key not in counters}


def _without_prefix(
    state: dict[str, np.ndarray], prefixes: list[str], notes: list[str]
) -> dict[str, np.ndarray]:
    """Removes the prefix that all keys have; of several prefixes, the first one's weights count."""
    borne = {key: next((p for p in prefixes if _bears(key, p)), "") for key in state}
    present = [prefix for prefix in prefixes if prefix in borne.values()]
    if not present or "" in borne.values():
        return state
    prefix, *others = present
    notes.append(f"{prefix!r} ({PREFIXES[prefix]}) is taken off its names")
    if others:
        left = " and ".join(repr(other) for other in others)
        notes[-1] += f", and what begins with {left} is left out"
    chosen = {key: value for key, value in state.items() if borne[key] == prefix}
    return _renamed(chosen, lambda key: key.removeprefix(prefix), prefix)


def _bears(key: str, prefix: str) -> bool:
    return key.startswith(prefix) and key != prefix


def _renamed(
    state: dict[str, np.ndarray], name: Callable[[str], str], prefix: str
) -> dict[str, np.ndarray]:
    renamed: dict[str, np.ndarray] = {}
    for key, value in state.items():
        if name(key) in renamed:
            raise InputError(
                f"the checkpoint holds {shown(name(key))} both with and without {prefix!r}"
            )
        renamed[name(key)] = value
    return renamed
