"""The embedded default: AOT-T with LSTT block V2, small enough to train on a CPU.

    python launch.py --config configs/default.py --output runs/default \\
        --config.data.stills=STILLS --config.train.init=mobilenet_v2_imagenet.npz

STILLS has images/ and masks/ (palette PNG); without it the clips are rendered from nothing. The
.npz holds MobileNetV2 with folded norms; without it the encoder starts from random weights, and
then `train.freeze` has to be emptied.

Expected: about 80 minutes on four cores; the mean J over rendered clips passes 0.6.
"""

from vosjax.train import defaults


def get_config():
    config = defaults.config("aot", encoder="mobilenet_v2", layers=1, block="v2",
                             max_short_side=256)
    config.data.update(height=209, width=209, frames=3)
    config.train.update(
        steps=1500, batch=8, cpu_devices=4, loss_stride=2, threads=2,
        lr=6e-4, lr_min=2e-5, weight_decay=0.03, no_decay="relative_value|relative_bias|decoder/out",
        held="^identity/", freeze="^encoder/", aux=0.1,
        source="encoder initialised from mobilenet_v2 of github.com/google-coral/test_data (8-bit "
               "tflite, dequantised, Apache-2.0); trained on clips made from COCO photos "
               "(annotations CC BY 4.0) and on rendered clips",
        licence="Apache-2.0")
    config.train.log.update(every=10, pictures=100, validate=50, checkpoint=100, keep=3, clips=8,
                            frames=8)
    config.stages = (
        dict(name="head"),
        dict(name="all", data=dict(frames=4),
             train=dict(steps=600, lr=3e-4, aux=0.0, own_from=0.4, encoder_lr=0.2,
                        freeze="^encoder/(stem|block([1-9]|1[0-3])(/|_))")),
    )
    return config
