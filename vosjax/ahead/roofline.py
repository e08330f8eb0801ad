"""How fast a program can be at best, from a machine's stated peak figures."""

from typing import NamedTuple

from vosjax.ahead.targets import Chip
from vosjax.ahead.traffic import Traffic


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


def bounds(chip: Chip, traffic: Traffic, *, devices: int = 1, halved: bool = False) -> Roofline:
    """Returns the bounds of a program on a chip.

        bounds(CHIPS["v5e"], traffic).bound

    Args:
        chip: a chip with stated figures.
        traffic: what the program does on each device.
        devices: number of devices, for the collectives: a ring of n devices sends (n - 1) / n of an
            array that is gathered or scattered, and twice that of one that is summed.
        halved: whether products run at half of the stated speed (float32 on GPUs).
    """
    share = (devices - 1) / devices
    sent = sum(
        share * size * (2 if kind == "all-reduce" else 1)
        for kind, size in traffic.collectives.items()
    )
    return Roofline(
        traffic.products / (chip.products / (2 if halved else 1)),
        traffic.main / chip.bandwidth,
        sent / chip.links,
    )
