"""What can be set of test-time augmentation."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class ViewsConfig(Checked):
    """The views of a video that a network averages (`compose.views`)."""

    flip: bool = setting(False, "every view also mirrored")
    scales: tuple[float, ...] = setting(
        (1.0,),
        "factors on the size that the network sees; each is a view",
        above=0,
        most=16,
        filled=True,
    )
    max_short_side: int | None = setting(
        None,
        "most pixels of the short side before scaling, and 5/3 of it of the long one; "
        "None: the network's own rule",
        least=1,
        was="short",
    )
