"""AOT-L with LSTT block V2 (arXiv 2206.09585, equation 3), by its encoders.

    python launch.py --mode convert --config configs/aotv2.py:r50 \\
        --input r50_aotv2l.pth --output weights/aotv2_r50
    python launch.py --config configs/aotv2.py:r50 --config.weights=weights/aotv2_r50 \\
        --video clip.mp4 --masks first.png --output out

All have three blocks and remember every fifth frame.

| variant | encoder | file | M weights | figure |
|---|---|---|---|---|
| l | MobileNetV2 | aotv2l.pth | 8.5 | none |
| r50 | ResNet-50 | r50_aotv2l.pth | 15.1 | none |
| swin | Swin-B | swinb_aotv2l.pth | 65.6 | 85.7 overall on YouTube-VOS 2019 val |
| effnet | EfficientNet-B3 | none | 16.1 | none |
| resnext | ResNeXt-50 32x4d | none | 15.0 | none |

The files are those that aot-benchmark's branch `paot` trains; none were published. `effnet` and
`resnext` are members of the paper's ensemble. Related encoders are chosen by
`--config.model.encoder=efficientnet:v2_s` (or b0 to b4) or `resnet:resnext101_32x8d`.

Expected: Swin-B is the best single model of the paper: at 30 frames a second 85.7 overall on
YouTube-VOS 2019 val, 86.2 with more real video and 86.6 without strong augmentation (table 2).
R50-AOT-L of V1 has 85.3 there. `--mode summary` shows what a network costs.
"""

from vosjax.config import network, variant

VARIANTS = {
    "l": dict(encoder="mobilenet_v2"),
    "r50": dict(encoder="resnet:50"),
    "swin": dict(encoder="swin:b"),
    "effnet": dict(encoder="efficientnet:b3"),
    "resnext": dict(encoder="resnet:resnext50_32x4d"),
}


def get_config(name="l"):
    return network("aot", layers=3, block="v2", mem_every=5, **variant(VARIANTS, name))
