"""The rule by which AOT's evaluation chooses the size at which a network sees frames."""


def network_size(
    height: int,
    width: int,
    scale: float = 1.0,
    *,
    aligned: bool,
    max_short_side: float | None = None,
    max_long_side: float | None = None,
) -> tuple[int, int]:
    """Returns the size at which a network sees a frame.

        network_size(1080, 1920, aligned=True, max_short_side=480)      # (481, 849)

    The frame is shrunk until first its short side and then its long side are within their limits,
    then scaled and truncated to whole pixels. Sides are rounded to the nearest 16k + 1 (aligned) or
    16k with k at least 1, and halfway cases to the even k.

    Args:
        height: height of the frame.
        width: width of the frame.
        scale: factor of multi-scale testing.
        aligned: whether sides are 16k + 1 rather than 16k.
        max_short_side: largest short side before scaling, or None.
        max_long_side: largest long side before scaling, or None.

    Returns:
        (height, width).
    """
    high, wide = float(height), float(width)
    if max_short_side is not None and min(high, wide) > max_short_side:
        ratio = max_short_side / min(high, wide)
        high, wide = ratio * high, ratio * wide
    if max_long_side is not None and max(high, wide) > max_long_side:
        ratio = max_long_side / max(high, wide)
        high, wide = ratio * high, ratio * wide
    extra = 1 if aligned else 0

    def snap(side: float) -> int:
        side = int(side * scale)
        return max(round((side - extra) / 16), 1) * 16 + extra  # round() rounds halves to even

    return snap(high), snap(wide)
