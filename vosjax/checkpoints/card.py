"""Reads `card.json`, which describes weights, as a file that a stranger may have made."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from vosjax.errors import InputError
from vosjax.schema import NEVER, Checked, FieldError, modern, parse, setting
from vosjax.schema.kinds import hints

FORMAT = 1  # version of the folder's format; it grows when older readers could misunderstand it
CARD_KEYS = ("family", "config", "source", "licence")
ARRAYS = "arrays"  # the card's field of {path: the first digits of an array's sha256}
LARGEST = 16 << 20  # bytes of a card

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class CardConfig(Checked):
    """How the network of some weights is built and used; other fields are ignored."""

    model: dict[str, Any] | None = setting(None, "settings of the family's `build`")
    mem_every: int | None = setting(
        None,
        "frames from one remembered frame to the next",
        least=1,
        most=NEVER,
        was="gap",
        was_never=9999,
    )
    max_mem_frames: int | None = setting(
        None, "most remembered frames", least=1, most=NEVER, was="limit"
    )


@dataclasses.dataclass(frozen=True)
class Card(Checked):
    """The fields of a card that are read; all others are the writer's own affair."""

    family: str = setting(dataclasses.MISSING, "a folder of vosjax/models")
    config: dict[str, Any] = setting(dataclasses.MISSING, "of the network")
    source: str = setting(dataclasses.MISSING, "what the weights were made from")
    licence: str = setting(dataclasses.MISSING, "under which licence")
    format: int = setting(dataclasses.MISSING, "of the folder")
    sha256: str = setting(dataclasses.MISSING, "of the weights file")
    objects: int | None = setting(
        None, "identities that the weights were trained with", least=1, most=255
    )
    training: dict[str, Any] | None = setting(None, "how they were trained")
    arrays: dict[str, str] | None = setting(None, "digests of the arrays")


def read_card(path: pathlib.Path, data: bytes) -> dict[str, Any]:
    """Reads a card, and checks all fields that are used.

        card = read_card(path, path.read_bytes())

    Args:
        path: the file, for messages.
        data: its content.

    Returns:
        The card as it stands in the file.

    Raises:
        InputError: the file is not JSON, not a card, or a card of another format; or a field has
            another type or is out of range. The message names the file, the field and what is
            expected.
    """
    card = _parsed(path, data)
    keys = (*CARD_KEYS, "format", "sha256")
    missing = [key for key in keys if not isinstance(card, dict) or key not in card]
    if missing:
        raise InputError(
            f"{path} is no card of weights: {', '.join(keys)} are expected in it"
            + (f", and {', '.join(missing)} missing" if isinstance(card, dict) else "")
        )
    number = card["format"]
    if isinstance(number, int) and not isinstance(number, bool) and number != FORMAT:
        raise InputError(
            f"{path} has format {str(number)[:20]}, this version reads format {FORMAT}: "
            "update vosjax or convert the weights again"
        )
    try:
        parse(Card, {name: value for name, value in card.items() if name in hints(Card)})
        card_config(card)
    except FieldError as error:
        raise InputError(f"{path}: {_shortened(str(error))}; correct it or copy it again") from None
    except RecursionError:
        raise _too_deep(path) from None
    if not _SHA256.fullmatch(card["sha256"]):
        raise InputError(
            f"{path}: sha256 is {_shortened(repr(card['sha256']))}; 64 hexadecimal digits are "
            "expected; copy it again"
        )
    return card


def card_config(card: Mapping[str, Any]) -> CardConfig:
    """Returns what a card says of its network, by the present names of the fields.

        card_config(card).mem_every

    Raises:
        FieldError: a value has another type or is out of range.
    """
    config = modern(card["config"], CardConfig, note=lambda old, new: None)
    known = {name: value for name, value in config.items() if name in hints(CardConfig)}
    try:
        return parse(CardConfig, known)
    except FieldError as error:
        raise error.inside("config") from None


def _parsed(path: pathlib.Path, data: bytes) -> Any:
    if len(data) > LARGEST:
        raise InputError(
            f"{path} has {len(data):,} bytes, a card at most {LARGEST:,}: it is no card of weights"
        )
    try:
        card = json.loads(data.decode("utf-8"), parse_constant=_refuse)
        json.dumps(card, ensure_ascii=False).encode()  # refuses lone surrogates: run.json holds it
        return card
    except RecursionError:
        raise _too_deep(path) from None
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): copy it again") from error


def _too_deep(path: pathlib.Path) -> InputError:
    return InputError(f"{path} is damaged (it is nested too deeply): copy it again")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number that JSON knows")


def _shortened(text: str, most: int = 300) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"
