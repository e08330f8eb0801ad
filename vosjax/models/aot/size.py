"""The size rule of the AOT evaluator."""


def network_size(
    height: int,
    width: int,
    scale: float = 1.0,
    *,
    aligned: bool,
    max_short_side: float | None = None,
    max_long_side: float | None = None,
) -> tuple[int, int]:
    """The size at which a network sees a frame.

        network_size(1080, 1920, aligned=True, max_short_side=480)      # (481, 849)

    The frame is shrunk until its short side and then its long side keep their limits, multiplied
    by `scale` and truncated to whole pixels; sides that are not of the form 16k + 1 (aligned) or
    16k are rounded to it, halves to the even k, and k is at least 1.

    Args:
      height: of the frame.
      width: of the frame.
      scale: a factor of multi-scale testing.
      aligned: 16k + 1 rather than 16k.
      max_short_side: limit before scaling, or None.
      max_long_side: limit before scaling, or None.

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
        return max(round((side - extra) / 16), 1) * 16 + extra  # round() takes halves to even

    return snap(high), snap(wide)
