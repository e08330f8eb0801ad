"""AOT-L with ResNeSt-101, three LSTT blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/aot_resnest101.py \\
        --input RS101_AOTL.pth --output weights/aot_resnest101
    python launch.py --config configs/aot_resnest101.py --config.weights=weights/aot_resnest101 \\
        --video clip.mp4 --masks first.png --output out

Expected: 36.4 M weights; no figure was published for it. The file is one that aot-benchmark has
trained from its config rs101_aotl.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="resnest:101", layers=3, gap=5)
