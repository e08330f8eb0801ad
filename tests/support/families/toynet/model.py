"""`build` of the toy."""

import functools

from support import toy

from vosjax.names import Name, Names, same
from vosjax.types import Model

NAMES = Names(
    (Name("key", "net.key.weight", same), Name("gain", "net.gain", same)),
    ignored=(r"net\.unused\..*",),
)


@functools.lru_cache  # so that commands of one test process share compiled programs
def build(*, slots: int = 4, top_k: int | None = None) -> Model:
    """The toy with so many slots."""
    return Model(toy.vos(slots=slots, top_k=top_k), toy.fresh, NAMES, lambda path: "head")
