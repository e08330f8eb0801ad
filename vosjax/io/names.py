"""Names of frames and files: their order, a form that is safe to print, and their check."""

import decimal
import re
from collections.abc import Callable, Iterable
from typing import Any

from vosjax.errors import InputError

LONGEST = 200  # bytes of a name; file systems have 255, of which endings and temporary names take
# A sign counts as one only where a number can begin: `t=-1` and `-1`, but not `IMG_0431-1`.
_NUMBER = re.compile(r"(?P<sign>(?:^|(?<=[=_(,]))[-+\u2212])?(?P<digits>\d+(?:\.\d+)*)")
_ENDING = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,4}$")


def natural(name: str, *, decimals: bool = True) -> tuple:
    """A sort key for file names, with or without their ending.

    Numbers count by their value whatever their zeros, signs (`-1` before `0`) and Unicode digits;
    letters count without their case. The ending only decides between equal names, so that
    `NAME.jpg` comes before `NAME (1).jpg`, `NAME-1.jpg` and `NAME_1.jpg`.

    Args:
        name: a name, such as `IMG_0431.jpg`.
        decimals: whether `0.25` is a quarter; otherwise it is the numbers 0 and 25. Longer chains
            (dates, versions) are whole numbers in any case. `in_order` chooses for a whole list.

    Example:
        sorted(["f10.png", "f2.png", "f2 (1).png"], key=natural)  # f2, f2 (1), f10
    """
    ending = _ENDING.search(name)
    stem = name[: ending.start()] if ending else name
    return _parts(stem, decimals), _parts(name[len(stem) :], decimals), name


def in_order(items: Iterable, name: Callable[[Any], str] = str) -> list:
    """Items in the natural order of their names.

    Dotted numbers are decimals (`t=0.25`, `t=0.5`) unless the list counts with them: `1.9`, `1.10`
    and `1.11` are the 9th to 11th, as nobody writes the end of 1.10 beside the shorter 1.9.

    Args:
        items: anything with names.
        name: name(item) -> its name; by default the items are names.

    Example:
        in_order(folder.iterdir(), name=lambda path: path.name)
    """
    items = list(items)
    decimals = not _counts([name(item) for item in items])
    return sorted(items, key=lambda item: natural(name(item), decimals=decimals))


def number(text: str) -> int | None:
    """The whole number that a text of digits alone stands for, None for any other text.

    Numbers of more than 18 digits are no frame's and give None.
    """
    short = text.lstrip("0") or text[-1:]
    return int(short) if short.isdecimal() and len(short) <= 18 else None


def check_name(name: object, *, where: object) -> str:
    """The name of a video or frame that a file tells, if it can be one of a file in a folder.

    Names from records, lists and metadata become names of files that are written, replaced and
    removed, so every one of them is checked where it comes in.

    Args:
        name: the name, without an ending.
        where: the file that tells it, for the message.

    Raises:
        InputError: no text, empty, a path (`/`, `\\`, `..`, `C:`), hidden (it begins with a dot),
            with characters that cannot be printed, or longer than 200 bytes.

    Example:
        check_name("bear", where="meta.json")           # 'bear'
        check_name("../../bear", where="meta.json")     # InputError
    """
    problem = name_problem(name)
    if problem:
        raise InputError(
            f"{printable(where)} names a video or frame {printable(repr(name)[:100])}, which "
            f"{problem}: the name of a folder or file, without a path, is expected"
        )
    return str(name)


def check_path(path: object, *, where: object) -> str:
    """The same of a path of several names, relative to the folder of a file that tells it.

    Example:
        check_path("train/0001.jpg", where="instances.json")        # as it is
        check_path("../secret", where="instances.json")             # InputError
    """
    for name in path.split("/") if isinstance(path, str) else [path]:
        check_name(name, where=where)
    return str(path)


def name_problem(name: object) -> str | None:
    """Why a text can be no name, as `check_name` says; None where it can."""
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
    """The text with everything that a terminal would not show as a character escaped.

    Line breaks, escape sequences and the lone surrogates of file names that are no UTF-8 come out
    as `\\n`, `\\x1b` and `\\udce9`; printing the result never fails or forges a line.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def some(words: Iterable, most: int = 3) -> str:
    """Names the first of several words, made printable, and how many more there are.

        some(["a", "b", "c", "d", "e"])     # 'a, b, c and 2 more'

    Args:
        words: of any type, which `printable` takes.
        most: how many are named.
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
    """Whether a list counts behind a dot: a shorter number stands beside one like 10 or 120."""
    chains = [match["digits"] for name in names for match in _NUMBER.finditer(name)]
    behind = {chain.split(".")[1] for chain in chains if chain.count(".") == 1}
    shortest = min(map(len, behind), default=0)
    return any(len(part) > shortest and part.endswith("0") and part.strip("0") for part in behind)
