"""AOT-L with EfficientNet-B3 and LSTT V2, an ensemble's member; every fifth frame remembered.

    python launch.py --mode summary --config configs/aot_effnet.py
    python launch.py --config configs/aot_effnet.py --config.weights=weights/aot_effnet \\
        --video clip.mp4 --masks first.png --output out

Expected: 16.1 M weights; no figure was published for it alone. Any other of B0 to B4 and V2-S:
`--config.model.encoder=efficientnet:v2_s`.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="efficientnet:b3", layers=3, block="v2", gap=5)
