"""AOT-L with ResNeXt-50 32x4d and LSTT V2, an ensemble's member; every fifth frame remembered.

    python launch.py --mode summary --config configs/aot_resnext.py
    python launch.py --config configs/aot_resnext.py --config.weights=weights/aot_resnext \\
        --video clip.mp4 --masks first.png --output out

Expected: 15.0 M weights; no figure was published for it alone. The larger one:
`--config.model.encoder=resnet:resnext101_32x8d`.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="resnet:resnext50_32x4d", layers=3, block="v2", gap=5)
