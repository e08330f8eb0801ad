"""The machines that a program can be compiled for, with the peak figures that makers state."""

import math
from typing import NamedTuple

from vosjax.ahead.peaks import half_peak
from vosjax.errors import InputError

GB = 10**9
GIB = 2**30


class Chip(NamedTuple):
    """The stated figures of one device.

    platform   'tpu', 'gpu' or 'cpu'
    products   operations of bfloat16 products in a second, at most; 0 if none is stated. Products
               of float32 run at this speed on TPUs, where JAX's default precision takes one pass
               of bfloat16, and at half of it (TF32) on GPUs
    memory     bytes of its memory that a program may take
    bandwidth  bytes in a second between that memory and the device, at most
    links      bytes in a second that it sends to other devices, over all its links, at most
    axes       number of axes of a slice's shape
    """

    platform: str
    products: float
    memory: float
    bandwidth: float
    links: float
    axes: int = 1


# Products: `ahead.peaks`. TPUs: the pages of Cloud TPU on each version, whose newer interconnect
# figures count both directions, and the memory that the compiler of TPU programs calls available
# (v5e has 16 GiB). GPUs: the data sheets of the SXM boards, without sparsity.
CHIPS = {
    "v4": Chip("tpu", half_peak("TPU v4"), 30.75 * GIB, 1228e9, 300e9, axes=3),
    "v5e": Chip("tpu", half_peak("TPU v5e"), 15.75 * GIB, 819e9, 200e9, axes=2),
    "v5p": Chip("tpu", half_peak("TPU v5p"), 95.73 * GIB, 2765e9, 600e9, axes=3),
    "v6e": Chip("tpu", half_peak("TPU v6e"), 31.24 * GIB, 1640e9, 400e9, axes=2),
    "a100": Chip("gpu", half_peak("NVIDIA A100"), 80 * GB, 2039e9, 300e9),
    "h100": Chip("gpu", half_peak("NVIDIA H100"), 80 * GB, 3350e9, 450e9),
    "h200": Chip("gpu", half_peak("NVIDIA H200"), 141 * GB, 4800e9, 450e9),
    "cpu": Chip("cpu", 0, 0, 0, 0),
}


class Target(NamedTuple):
    """A machine: so many devices of a kind.

    kind   key of `CHIPS`
    shape  the shape of a TPU slice; of other machines their number of devices
    """

    kind: str
    shape: tuple[int, ...]

    @property
    def chip(self) -> Chip:
        """The figures of one device."""
        return CHIPS[self.kind]

    @property
    def devices(self) -> int:
        """Number of devices."""
        return math.prod(self.shape)

    @property
    def name(self) -> str:
        """How it is written: 'v5e:4x4'."""
        return f"{self.kind}:{'x'.join(map(str, self.shape))}"


def parsed(text: str) -> Target:
    """Parses a machine's name.

        parsed("v5e:4x4").devices       # 16
        parsed("v5e").shape             # (1, 1)
        parsed("h100:8").devices        # 8

    Args:
        text: a kind of `CHIPS`, alone for one device; or with the shape of a TPU slice or the
            number of devices after a colon.

    Raises:
        InputError: there is no such kind, or its shape is another.
    """
    kind, colon, shape = text.partition(":")
    if kind not in CHIPS:
        raise InputError(
            f"the target {text!r} is of no known kind: one of {', '.join(CHIPS)} is expected, and "
            "after a colon the shape of a slice or a number of devices: v5e:4x4, h100:8"
        )
    axes = CHIPS[kind].axes
    sides = shape.split("x") if colon else ["1"] * axes
    if len(sides) != axes or not all(s.isdecimal() and 0 < int(s) <= 4096 for s in sides):
        example = "x".join(["2", "2", "1"][:axes]) if axes > 1 else "8"
        raise InputError(
            f"the target {text!r} has the shape {shape!r}: a shape of {axes} "
            f"number{'s' * (axes > 1)} from 1 to 4096 is expected, as in {kind}:{example}"
        )
    return Target(kind, tuple(int(side) for side in sides))
