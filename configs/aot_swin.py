"""SwinB-AOTv2-L: Swin-B, three LSTT V2 blocks, gap 5; the best single model of the paper.

    python launch.py --mode convert --config configs/aot_swin.py \\
        --input swinb_aotv2l.pth --output weights/aot_swin
    python launch.py --config configs/aot_swin.py --config.weights=weights/aot_swin \\
        --video clip.mp4 --masks first.png --output out

Expected: 65.6 M weights; overall 85.7 on YouTube-VOS 2019 val at 30 frames a second, 86.2 with
more real video and 86.6 without strong augmentation (arXiv 2206.09585, table 2). No weights were
published; the file is one that aot-benchmark's branch `paot` has trained. `--mode summary` shows
what the network costs.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="swin:b", layers=3, block="v2", gap=5)
