"""Settings of test-time augmentation."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class ViewsConfig(Checked):
    """The views of a video that a network averages (`compose.views`)."""

    flip: bool = setting(False, "add the mirror image of every view")
    scales: tuple[float, ...] = setting(
        (1.0,),
        "factors on the size that the network sees, one view each",
        above=0,
        most=16,
        filled=True,
    )
    max_short_side: int | None = setting(
        None,
        "largest short side before scaling, in pixels; long sides are limited to 5/3 of it; "
        "None: the network's own rule",
        least=1,
        was="short",
    )
