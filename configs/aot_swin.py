"""SwinB-AOTv2-L, the best single model of arXiv 2206.09585: `configs/aotv2.py:swin`.

    python launch.py --mode convert --config configs/aot_swin.py \\
        --input swinb_aotv2l.pth --output weights/aot_swin
    python launch.py --config configs/aot_swin.py --config.weights=weights/aot_swin \\
        --video clip.mp4 --masks first.png --output out

Expected: 65.6 M weights; overall 85.7 on YouTube-VOS 2019 val at 30 frames a second. No weights
were published; the file is one that aot-benchmark's branch `paot` has trained.
"""

from vosjax.config import named


def get_config():
    return named("aotv2:swin")
