"""R50-AOTv2-L: ResNet-50, three LSTT V2 blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/aotv2_r50.py \\
        --input r50_aotv2l.pth --output weights/aotv2_r50
    python launch.py --config configs/aotv2_r50.py --config.weights=weights/aotv2_r50 \\
        --video clip.mp4 --masks first.png --output out

Expected: 15.1 M weights; no figure was published for it, that of V1 is 85.3 overall on
YouTube-VOS 2019 val at 30 frames a second. The file is one that aot-benchmark's branch `paot` has
trained.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="resnet:50", layers=3, block="v2", gap=5)
