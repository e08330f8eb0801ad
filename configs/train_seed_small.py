"""The two stages of configs/train_seed.py and its last phase, small enough for two cores.

    python launch.py --config configs/train_seed_small.py --config.data.root=DATA \\
        --config.train.init=mobilenet_v2_imagenet.npz --output runs/seed_small

DATA is that of configs/train_default.py. Rates, decays, losses, the average and the order of stages
are those of train_seed; the network is AOT-T with LSTT block V2, frames have 193 pixels, batches 4
clips of 3 frames, and the stages a hundredth of the steps. The new layers begin at the scales of
train_default, without which so short a training does not begin to learn.

Expected: weights in runs/seed_small/weights that reach a J&F of 52.7 on the validation clips of
train_default (49.1 after the first stage, 51.4 before the last phase; the weights of the last step,
not averaged, 52.0). docs/training.md has the curve. A step took 1.4 seconds on two cores that did
little else: some fifty minutes in all.
"""

from vosjax.config import named, training

STILLS, OWN_STILLS, VIDEOS = named("train_default").data.sets


def get_config():
    default = named("train_default")
    config = training(default.family, **default.model)
    config.data.update(height=193, width=193, frames=3, root="", rendered_weight=0.0)
    config.train.update(
        batch=4,
        cpu_devices=1,
        lr_min=2e-5,
        mem_every=2,
        held="^identity/",
        no_decay="relative_value|relative_bias|position_bias_table|decoder/out",
        scale=default.train.scale,
        card_mem_every=5,
    )
    config.train.log.update(every=20, pictures=0, validate=0, checkpoint=100)
    config.stages = (
        dict(
            name="stills",
            data=dict(sets=(STILLS, OWN_STILLS)),
            train=dict(steps=1000, lr=4e-4, weight_decay=0.03, aux=0.1),
        ),
        dict(
            name="video",
            data=dict(
                sets=(VIDEOS,),
                merge=0.3,
                colour=True,
                phases=(dict(after=0.8, sets=(VIDEOS,), plain=True),),
            ),
            train=dict(steps=1000, lr=2e-4, weight_decay=0.07, aux=1.0, own_from=0.5),
        ),
    )
    return config
