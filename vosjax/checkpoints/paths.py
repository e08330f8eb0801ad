"""Params as nested dicts, and as flat ones whose paths are joined by '/'."""

from collections.abc import Mapping
from typing import Any

DEEPEST = 64  # names in the path of an array


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts -> {'a/b/c': array}, in the order of the dicts.

        flatten({"head": {"bias": np.zeros(3)}})        # {"head/bias": ...}

    Args:
        params: nested dicts; what is no dict is a leaf, of any shape and dtype, and stays as it is:
            an array, or a `jax.ShapeDtypeStruct` in its place.

    Raises:
        ValueError: a name that is no string or holds a '/', or an empty dict.
    """
    flat: dict[str, Any] = {}

    def walk(tree: Mapping[str, Any], path: tuple[str, ...]) -> None:
        if path and not tree:
            raise ValueError(
                f"params: {'/'.join(path)} is an empty dict; it has no place in a "
                "weights file, leave it out"
            )
        for name, value in tree.items():
            if not isinstance(name, str) or "/" in name or not name:
                raise ValueError(f"params: names must be strings without '/', got {name!r}")
            if isinstance(value, dict):
                walk(value, (*path, name))
            else:
                flat["/".join((*path, name))] = value

    walk(params, ())
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{'a/b/c': array} -> nested dicts, the inverse of `flatten`.

        nest({"head/bias": np.zeros(3)})                # {"head": {"bias": ...}}

    Raises:
        ValueError: a path that is both an array and a folder of arrays, or endlessly deep.
    """
    params: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        if len(folders) >= DEEPEST:
            raise ValueError(f"params: {path[:60]}... lies in {len(folders)} folders")
        tree = params
        for folder in folders:
            tree = tree.setdefault(folder, {})
            if not isinstance(tree, dict):
                raise ValueError(f"params: {path} lies under an array")
        if name in tree:
            raise ValueError(f"params: {path} is both an array and a folder")
        tree[name] = value
    return params
