"""The embedded default: AOT-T with LSTT block V2, small enough to train on a CPU.

    python launch.py --config configs/train_default.py --output runs/default \\
        --config.data.root=DATA --config.train.init=mobilenet_v2_imagenet.npz,deeplab_voc.npz

DATA holds `train/stills` and `stills` (each with images/ and masks/) and `train/videos` (DAVIS
layout). The .npz files hold MobileNetV2 with folded norms: an ImageNet network, and over it the
trunk of a DeepLab for VOC, which lacks the last convolution.

Expected: about five hours on two cores (four stages of 75, 45, 25 and 170 minutes by the speed of
their steps; the run itself shared its machine), and weights in runs/default/weights that reach a
J&F of 80.6 on the seven clips of the README's table (79.1 J, 82.0 F), with up to ten objects. They
were chosen by a validation set of their own: the clips that VIDEOS leaves out, and clips of other
sources, which no stage has seen. On its 55 objects J&F was 56.4 after the third stage, and in the
fourth 57.4 at step 700, 59.3 at step 1,150 and 60.9 at the end; without the fixed cameras, where
cars and people are very small, 66.6, 70.9, 78.1 and 78.1 on 22 objects.

    python launch.py --mode eval --config configs/base.py --config.weights=runs/default/weights \\
        --data VALIDATION --output runs/validation

VALIDATION is a folder of those clips in DAVIS layout; frames are seen at up to 353 pixels, as ever.

The embedded weights come from this file, but for two rates: that of the first stage was meant for
8,000 steps when it began, and was lowered to what stands here from step 4,300 on; that of the
fourth was meant for 700 steps, from step 701 on for 1,150, and from step 1,151 on is the one that
stands here.
"""

from vosjax.config import training

SCALE = (  # the encoder's maps are large, and adapters of full size would hide the identities
    ("^decoder/adapter16/", 0.1),
    ("^decoder/adapter8/", 0.08),
    ("^decoder/adapter4/", 0.06),
    ("^identity/bank/kernel", 100.0),  # in the reference so small that its norm's epsilon dominates
    ("^identity/bank/bias", 0.0),
)
PHOTOS = "^(coco|cocoperson|ccp|balloon)_"
VIDEOS = "^davis16_(?!dog-agility|drift-turn|motocross-bumps|bmx-bumps|dance-jump)"
SHORT_SIDE = 353
SOURCE = (
    "encoder: mobilenet_v2 and the trunk of deeplabv3 (VOC) of github.com/google-coral/test_data "
    "(8-bit tflite, dequantised, Apache-2.0), frozen but for the last convolution, in the last "
    "stage but for the last four blocks; trained on clips made from DAVIS 2016 train (CC BY 4.0), "
    "COCO photos (annotations CC BY 4.0), Clothing Co-Parsing (Apache-2.0) and balloon photos, and "
    "on rendered clips"
)


def sets(photos, videos):
    """Returns the datasets with the given shares of photos and of videos."""
    return (
        dict(folder="train/stills", only=PHOTOS, weight=0.9 * photos),
        dict(folder="stills", weight=0.1 * photos),
        dict(folder="train/videos", only=VIDEOS, weight=videos, max_frame_gap=3),
    )


def get_config():
    config = training(
        "aot", encoder="mobilenet_v2", layers=1, block="v2", max_short_side=SHORT_SIDE
    )
    config.data.update(
        height=193, width=193, frames=3, max_objects=10, sampler="composed", root="",
        sets=sets(0.7, 0.3), sets_weight=0.8, rendered_weight=0.2, merge=0.5, merges=2, guests=0.5,
        crowd=0.2, colour=True,
    )  # fmt: skip
    config.train.update(
        steps=4400, batch=4, cpu_devices=1, loss_stride=2, lr=8e-4, lr_min=4e-4, warmup=0.02,
        hard_begin=0.1, hard_end=0.7, hard_least=0.25, aux=0.5, freeze="^encoder/(stem|block)",
        encoder_lr=1.0, scale=SCALE, card_mem_every=5,
        source=SOURCE,
        licence="Apache-2.0",
    )  # fmt: skip
    config.train.log.update(every=20, pictures=0, validate=0, checkpoint=100, clips=4, frames=8)
    own = dict(
        lr_min=2e-5, warmup=0.04, hard_begin=-1.0, hard_end=0.01, hard_least=0.3, aux=0.0,
        held="^identity/", mem_every=2,
    )  # fmt: skip
    config.stages = (
        dict(name="small"),
        dict(
            name="own",
            data=dict(height=257, width=257, frames=4, sets=sets(0.55, 0.45)),
            train=own | dict(steps=1300, lr=5e-4, own_from=0.15),
        ),
        dict(
            name="large",
            data=dict(
                height=353, width=353, frames=4, sets=sets(0.45, 0.55), sets_weight=0.9,
                rendered_weight=0.1, colour=False,
            ),
            train=own | dict(steps=600, batch=2, lr=2e-4, lr_min=1e-5, warmup=0.03, own_from=0.0),
        ),
        dict(
            name="long",
            data=dict(
                height=353, width=353, frames=6, sets=sets(0.4, 0.6), sets_weight=0.9,
                rendered_weight=0.1, colour=False,
            ),
            train=own | dict(
                steps=2300, batch=2, lr=2e-4, lr_min=1e-5, warmup=0.03, own_from=0.0,
                freeze="^encoder/(stem|block([1-9]|1[0-3])/)", encoder_lr=0.2,
            ),
        ),
    )  # fmt: skip
    return config
