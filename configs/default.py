"""The embedded default: AOT-T with LSTT block V2, small enough to train on a CPU.

    python launch.py --config configs/default.py --output runs/default \\
        --config.data.stills=STILLS --config.train.init=mobilenet_v2_imagenet.npz,deeplab_voc.npz

STILLS has images/ and masks/ (palette PNG); without it the clips are rendered from nothing. The
.npz files hold MobileNetV2 with folded norms: an ImageNet network, and over it the trunk of a
DeepLab for VOC, which lacks the last convolution. The trunk stays frozen; without the files empty
`train.freeze` of both stages, and let it run for much longer.

Expected: an hour on four cores. Mean J over the rendered validation clips passes 0.5 in the first
stage; the README has the figures on real clips of the weights that this made.
"""

from vosjax.train import defaults

SCALE = (  # the trunk's maps are large: adapters that start small let the identities through at once
    ("^decoder/adapter16/", 0.1), ("^decoder/adapter8/", 0.08), ("^decoder/adapter4/", 0.06),
    ("^identity/bank/kernel", 100.0),  # tiny in the reference, where its norm's epsilon swallows it
    ("^identity/bank/bias", 0.0))


def get_config():
    config = defaults.config("aot", encoder="mobilenet_v2", layers=1, block="v2",
                             max_short_side=SHORT_SIDE)
    config.data.update(height=241, width=241, frames=3, max_objects=5)
    config.train.update(
        steps=800, batch=8, cpu_devices=4, loss_stride=2, lr=1e-3, lr_min=1e-4, warmup=0.06,
        hard_begin=0.1, hard_end=0.7, hard_least=0.25, aux=0.5, freeze="^encoder/(stem|block)",
        encoder_lr=1.0, scale=SCALE, gap=5,
        source="encoder: mobilenet_v2 and the trunk of deeplabv3 (VOC) of "
               "github.com/google-coral/test_data (8-bit tflite, dequantised, Apache-2.0), frozen but "
               "for the last convolution; trained on clips made from 126 COCO photos (annotations "
               "CC BY 4.0) and on rendered clips",
        licence="Apache-2.0")
    config.train.log.update(every=10, pictures=300, validate=150, checkpoint=100, clips=4, frames=8)
    config.stages = (
        dict(name="truth"),
        dict(name="own", data=dict(height=273, width=273, frames=4, motion=1.3),
             train=dict(steps=330, lr=5e-4, lr_min=1e-5, warmup=0.04, hard_begin=-1.0,
                        hard_end=0.01, hard_least=0.3, aux=0.0, own_from=0.2, held="^identity/",
                        memory_gap=2)),
    )
    return config


SHORT_SIDE = 353  # J&F on real clips 0.70; 0.66 at 257, which takes half the time
