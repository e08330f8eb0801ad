"""A short training that needs no data: AOT-T on rendered clips.

    python launch.py --config configs/train_rendered.py --output runs/rendered

Expected: within 100 steps the loss falls by a third; `tensorboard --logdir runs/rendered` shows it,
with pictures of what the network predicts. The network is meant for trying things out, not for use.
"""

from vosjax.config import training


def get_config():
    config = training("aot", encoder="mobilenet_v2", layers=1, block="v2")
    config.data.update(height=129, width=129, frames=3)
    config.train.update(
        steps=500,
        batch=4,
        loss_stride=2,
        lr=8e-4,
        held="^identity/",
        own_from=0.8,
        no_decay="relative_value|relative_bias|decoder/out",
    )
    config.train.log.update(every=10, pictures=50, validate=100, checkpoint=100)
    return config
