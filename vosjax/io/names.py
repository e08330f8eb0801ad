"""The order of file names as people mean it."""

import re

# A number; a sign belongs to it at the start of a name and behind '=' or '_', where it cannot be
# the dash that ties a copy's number to a name (IMG_0001-1).
_NUMBER = re.compile(r"((?:^|(?<=[=_]))[-+]\d+|\d+)")


def natural(name: str) -> list:
    """A sort key for the stem of a file name (the name without its ending).

    Numbers count by their value, letters without regard to their case, and a name comes before
    its own continuations: `IMG_1`, `IMG_1 (1)`, `IMG_1-1`, `IMG_2`, `IMG_10`. Digits behind a dot
    count as whole numbers, so that `1.9` comes before `1.10`.

        sorted(["10", "9", "a2", "A1"], key=natural)  # ["9", "10", "A1", "a2"]
    """
    parts = [part for part in _NUMBER.split(name) if part]
    key = [
        (0, int(part), "") if part[-1].isdecimal() else (1, 0, part.casefold()) for part in parts
    ]
    # Names that differ only in case or in leading zeros still have one order.
    return [*key, (-1, 0, name)]
