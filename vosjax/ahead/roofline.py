"""How fast a program can be at best, from a machine's stated peak figures."""

from collections.abc import Mapping
from typing import NamedTuple

from vosjax.ahead.targets import Chip


class Roofline(NamedTuple):
    """Seconds that a program takes at least, by each of its bounds.

    products  for its convolutions and matrix products
    bytes     for what it moves between the device and its main memory
    links     for what its collectives send, in rings over all devices
    """

    products: float
    bytes: float
    links: float

    @property
    def seconds(self) -> float:
        """The largest of them: a program cannot be faster, if all overlap perfectly."""
        return max(self)

    @property
    def bound(self) -> str:
        """Which one that is: 'products', 'bytes' or 'links'."""
        return max(self._fields, key=lambda name: getattr(self, name))


def bounds(
    chip: Chip,
    *,
    products: float,
    moved: float,
    collectives: Mapping[str, float] | None = None,
    devices: int = 1,
) -> Roofline:
    """Returns the bounds of a program on a chip.

        bounds(CHIPS["v5e"], products=traffic.products, moved=traffic.main).bound

    Args:
        chip: a chip with stated figures.
        products: operations of products on each device. Those that run at half of the stated speed
            (float32 on GPUs) count twice.
        moved: bytes to and from each device's main memory.
        collectives: {kind: bytes} on each device, as in `Traffic.collectives`.
        devices: number of devices, for the collectives: a ring of n devices sends (n - 1) / n of an
            array that is gathered or scattered, and twice that of one that is summed.
    """
    share = (devices - 1) / devices
    sent = sum(
        share * size * (2 if kind == "all-reduce" else 1)
        for kind, size in (collectives or {}).items()
    )
    return Roofline(products / chip.products, moved / chip.bandwidth, sent / chip.links)
