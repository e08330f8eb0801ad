"""AOTv2-L: MobileNetV2, three LSTT V2 blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/aotv2_l.py \\
        --input aotv2l.pth --output weights/aotv2_l
    python launch.py --config configs/aotv2_l.py --config.weights=weights/aotv2_l \\
        --video clip.mp4 --masks first.png --output out

Expected: 8.5 M weights; no figure was published for it. The file is one that aot-benchmark's
branch `paot` has trained.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="mobilenet_v2", layers=3, block="v2", gap=5)
