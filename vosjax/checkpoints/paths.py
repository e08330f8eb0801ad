"""Params as nested dicts, and as flat dicts whose paths are joined by '/'."""

from collections.abc import Mapping
from typing import Any

DEEPEST = 64  # most names in the path of an array


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    """Converts nested dicts to {'a/b/c': array}, in the order of the dicts.

        flatten({"head": {"bias": np.zeros(3)}})        # {"head/bias": ...}

    Args:
        params: nested dicts. Anything that is not a dict is a leaf and stays as it is: an array of
            any shape and dtype, or a `jax.ShapeDtypeStruct` in its place.

    Raises:
        ValueError: a name is not a string or contains '/', or a dict is empty.
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
    """Converts {'a/b/c': array} to nested dicts; the inverse of `flatten`.

        nest({"head/bias": np.zeros(3)})                # {"head": {"bias": ...}}

    Raises:
        ValueError: a path is both an array and a folder of arrays, or is too deep.
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
