"""Settings of the refinement of masks."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class RefineConfig(Checked):
    """Which stages refine the masks of a run, and how strongly (docs/refinement.md)."""

    zoom: str = setting(
        "",
        "segment small objects again in enlarged crops, whose boxes follow 'mask' (the masks and "
        "their motion), 'features' (and a target model on the network's features), or a folder "
        "with the weights of a box tracker (DiMP); '': do not",
    )
    show: bool = setting(False, "draw the crops of small objects into overlay.mp4")
    boundary: str = setting(
        "",
        "refine boundaries (BPR): 'boundary', the embedded network, or a folder of weights; '': "
        "do not",
    )
    boundary_threshold: float = setting(
        0.25,
        "IoU from which on a patch is left out beside another; 0.55 takes twice the patches of "
        "0.25",
        above=0,
        most=0.9,
    )
    boundary_strength: float = setting(
        0.7,
        "share of the boundary network in the probabilities of its pixels; the rest is the VOS "
        "network's",
        above=0,
        most=1,
    )
    boundary_min_area: int = setting(
        400, "smallest area in pixels of an object whose boundary is refined", least=1
    )
    boundary_reference: bool = setting(
        False,
        "refine as the reference program: strength 1, every object, no guards, plain averages, "
        "never the last row and column",
    )
