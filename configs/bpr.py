"""The refinement networks of BPR (boundary patch refinement, arXiv 2104.05239), by their variants.

    python launch.py --mode convert --config configs/bpr.py:w18 \\
        --input hrnet18s_coco-c172955f.pth --output weights/bpr_w18

| variant | backbone | side of the input | M weights | published for |
|---|---|---|---|---|
| w18 | HRNetV2-W18-Small | 128 | 3.9 | Cityscapes, COCO |
| w48 | HRNetV2-W48 | 256 | 65.8 | Cityscapes |
| small | a short HRNetV2 of this project | 96 | 1.5 | none: configs/train_boundary.py trains it |

Expected: the folder holds the weights of the file, with a card of the family bpr; a file of another
network is refused with the names of the tensors that do not fit.
"""

from vosjax.config import network, variant

VARIANTS = {
    "w18": dict(patch=128),
    "w48": dict(
        patch=256, widths=(48, 96, 192, 384), bottlenecks=4, modules=(1, 4, 3), blocks=4
    ),
    "small": dict(
        patch=96, widths=(16, 32, 64, 128), bottlenecks=1, modules=(1, 1, 1), blocks=2, stem=32
    ),
}  # fmt: skip


def get_config(name="w18"):
    return network("bpr", **variant(VARIANTS, name))
