"""Where the goldens lie: figures of the reference implementations that parity is held to."""

import os
import pathlib

import pytest

_TESTS = pathlib.Path(__file__).parents[1]


def path(relative: str) -> pathlib.Path:
    """A file or folder of the goldens, e.g. 'aot/aott_97x129.npz'.

    `VOSJAX_GOLDENS` names a root that is used in place of the default, which is the copies in
    tests/goldens first and `../shared/goldens` second. Skips, saying so, what is in neither.
    """
    chosen = os.environ.get("VOSJAX_GOLDENS")
    roots = (
        [pathlib.Path(chosen)]
        if chosen
        else [_TESTS / "goldens", _TESTS.parent.parent / "shared" / "goldens"]
    )
    for root in roots:
        if (root / relative).exists():
            return root / relative
    pytest.skip(f"GOLDENS MISSING: {relative} is in none of {', '.join(map(str, roots))}")
