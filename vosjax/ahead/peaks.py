"""The peak of products that makers state for their devices, in one table."""

import re

# Dense peak of one device as JAX counts devices, in 1e12 FLOP/s, by the beginning of its
# `device_kind`: (float16 and bfloat16, float32). Source: the makers' data sheets. XLA multiplies
# float32 by default in one pass of bfloat16 on TPUs and in TF32 on NVIDIA's GPUs from Ampere on.
PEAKS = (
    ("TPU v2", 22.5, 22.5),
    ("TPU v3", 61.5, 61.5),
    ("TPU v4 lite", 138, 138),
    ("TPU v4", 275, 275),
    ("TPU v5 lite", 197, 197),
    ("TPU v5e", 197, 197),
    ("TPU v5p", 459, 459),
    ("TPU v5", 459, 459),
    ("TPU v6 lite", 918, 918),
    ("TPU v6e", 918, 918),
    ("Tesla T4", 65, 8.1),
    ("Tesla V100", 125, 15.7),
    ("NVIDIA A100", 312, 156),
    ("NVIDIA L4", 121, 60.5),
    ("NVIDIA H100 PCIe", 756, 378),
    ("NVIDIA H100", 989, 495),
    ("NVIDIA H200", 989, 495),
)


def peaks_of(kind: str) -> tuple[float, float] | None:
    """Returns the peaks of a device for half and for single precision in FLOP/s.

        peaks_of("NVIDIA H100 80GB HBM3")       # (9.89e14, 4.95e14)

    Args:
        kind: the `device_kind` of a JAX device.

    Returns:
        The two peaks, or None for a device that is not in the table, such as a CPU.
    """
    for beginning, half, single in PEAKS:
        if re.match(rf"{beginning}\b", kind):
            return half * 1e12, single * 1e12
    return None


def half_peak(kind: str) -> float:
    """Returns the peak of a device that is in the table for half precision, in FLOP/s.

        half_peak("TPU v5e")      # 1.97e14

    Raises:
        KeyError: it is not in the table.
    """
    peaks = peaks_of(kind)
    if peaks is None:
        raise KeyError(kind)
    return peaks[0]
