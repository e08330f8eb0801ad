"""Names of frames and files: their natural order, a form that is safe to print, and their check."""

import decimal
import re
from collections.abc import Callable, Iterable
from typing import Any

from vosjax.errors import InputError

LONGEST = 200  # bytes of a name; the remaining 55 are for endings and temporary names
# A hyphen is a sign only where a number can begin: in `t=-1` and `-1`, but not in `IMG_0431-1`.
_NUMBER = re.compile(r"(?P<sign>(?:^|(?<=[=_(,]))[-+\u2212])?(?P<digits>\d+(?:\.\d+)*)")
_ENDING = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,4}$")


def natural(name: str, *, decimals: bool = True) -> tuple:
    """Returns a sort key for file names, with or without their endings.

        sorted(["f10.png", "f2.png", "f2 (1).png"], key=natural)    # f2, f2 (1), f10

    Numbers are compared by their values, with leading zeros, signs (`-1` before `0`) and Unicode
    digits; letters are compared without their case. The ending only decides between equal names, so
    that `NAME.jpg` comes before `NAME (1).jpg`, `NAME-1.jpg` and `NAME_1.jpg`.

    Args:
        name: a name such as `IMG_0431.jpg`.
        decimals: whether `0.25` is a quarter; otherwise it is the numbers 0 and 25. Longer chains
            (dates, versions) are always whole numbers. `in_order` chooses for a whole list.
    """
    ending = _ENDING.search(name)
    stem = name[: ending.start()] if ending else name
    return _parts(stem, decimals), _parts(name[len(stem) :], decimals), name


def in_order(items: Iterable, name: Callable[[Any], str] = str) -> list:
    """Sorts items by the natural order of their names.

        in_order(folder.iterdir(), name=lambda path: path.name)

    Numbers with a dot are decimals (`t=0.25`, `t=0.5`) unless the list counts with them: `1.9`,
    `1.10` and `1.11` are the 9th to 11th, since nobody writes 1.10 with its zero beside the shorter
    1.9 as a decimal.

    Args:
        items: the items, of any type.
        name: name(item) -> its name; by default the items are the names.
    """
    items = list(items)
    decimals = not _counts([name(item) for item in items])
    return sorted(items, key=lambda item: natural(name(item), decimals=decimals))


def number(text: str) -> int | None:
    """Returns the whole number that a text of digits stands for, or None for any other text.

        number("00012")     # 12

    Numbers of more than 18 digits cannot be those of frames, and give None.
    """
    short = text.lstrip("0") or text[-1:]
    return int(short) if short.isdecimal() and len(short) <= 18 else None


def check_name(name: object, *, where: object) -> str:
    """Checks the name of a video or frame that comes from a file, and returns it.

        check_name("bear", where="meta.json")           # 'bear'
        check_name("../../bear", where="meta.json")     # InputError

    Names from records, lists and metadata become names of files that are written, replaced and
    removed, so each of them is checked where it comes in.

    Args:
        name: the name, without an ending.
        where: the file that it comes from, for the message.

    Raises:
        InputError: the name is not a text, is empty, a path (`/`, `\\`, `..`, `C:`) or hidden (it
            begins with a dot), has characters that cannot be printed, or is longer than 200 bytes.
    """
    problem = name_problem(name)
    if problem:
        raise InputError(
            f"{printable(where)} names a video or frame {printable(repr(name)[:100])}, which "
            f"{problem}: the name of a folder or file, without a path, is expected"
        )
    return str(name)


def check_path(path: object, *, where: object) -> str:
    """Checks a path of several names, relative to the folder of the file it comes from.

        check_path("train/0001.jpg", where="instances.json")        # as it is
        check_path("../secret", where="instances.json")             # InputError

    Args:
        path: the path.
        where: the file that it comes from, for the message.

    Raises:
        InputError: `check_name` refuses one of its names.
    """
    for name in path.split("/") if isinstance(path, str) else [path]:
        check_name(name, where=where)
    return str(path)


def name_problem(name: object) -> str | None:
    """Returns why a text cannot be a name, as in `check_name`, or None if it can.

    name_problem("../bear")     # 'is a path'
    """
    if not isinstance(name, str):
        return "is no text"
    if not name.strip():
        return "is empty"
    if "/" in name or "\\" in name or re.match(r"[A-Za-z]:", name):
        return "is a path"
    if name.startswith("."):
        return "begins with a dot"
    if not re.sub("[\udc80-\udcff]", "", name).isprintable():  # these are bytes that are no UTF-8
        return "holds characters that cannot be printed"
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        return f"has more than {LONGEST} bytes"
    return None


def printable(text: object) -> str:
    """Returns the text with escapes for everything that a terminal would not show as a character.

        printable("a\\nb")       # 'a\\\\nb'

    Line breaks, escape sequences and the lone surrogates of file names that are not UTF-8 become
    `\\n`, `\\x1b` and `\\udce9`, so that printing the result can neither fail nor forge a line.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def some(words: Iterable, most: int = 3) -> str:
    """Lists the first of several words, made printable, and says how many more there are.

        some(["a", "b", "c", "d", "e"])     # 'a, b, c and 2 more'

    Args:
        words: the words, of any type that `printable` takes.
        most: how many are listed.
    """
    words = [printable(word) for word in words]
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"


def _parts(text: str, decimals: bool) -> tuple:
    parts, end = [], 0
    for match in _NUMBER.finditer(text):
        parts += _letters(text[end : match.start()])
        parts += _numbers(match["sign"] or "", match["digits"], decimals)
        end = match.end()
    return (*parts, *_letters(text[end:]))


def _letters(text: str) -> list:
    return [(1, text.casefold())] if text else []


def _numbers(sign: str, digits: str, decimals: bool) -> list:
    chain = [digits] if decimals and digits.count(".") == 1 else digits.split(".")
    values = [decimal.Decimal(part) for part in chain]
    if sign not in ("", "+"):
        values[0] = values[0].copy_negate()
    numbers = [(0, value) for value in values]
    return [part for value in numbers for part in (value, (1, "."))][:-1]


def _counts(names: list[str]) -> bool:
    """Returns whether a list counts behind a dot: a shorter number stands beside 10, 20 or 120."""
    chains = [match["digits"] for name in names for match in _NUMBER.finditer(name)]
    behind = {chain.split(".")[1] for chain in chains if chain.count(".") == 1}
    shortest = min(map(len, behind), default=0)
    return any(len(part) > shortest and part.endswith("0") and part.strip("0") for part in behind)
