"""AOT's second stage: videos of YouTube-VOS and DAVIS; its second half uses own predictions.

    python launch.py --config configs/train_aot_video.py:r50 --config.data.root=DATASETS \\
        --config.train.init=runs/static/weights --output runs/video

`r50` is the network, as in configs/train_aot_static.py. DATASETS holds what
configs/prepare.py:youtube_vos and :davis made.

Expected: J&F near those published for the network (configs/aot.py:r50 has 85.2 on DAVIS 2017 val).
"""

from vosjax.config import named


def get_config(network="l"):
    config, static = named("data_youtube_vos"), named(f"train_aot_static:{network}")
    config.family, config.model = static.family, static.model
    config.data.height, config.data.width = static.data.height, static.data.width
    for name in ("card_mem_every", "mem_every", "held", "no_decay"):
        config.train[name] = static.train[name]
    config.train.lr_min = 2e-5 if config.model.encoder == "mobilenet_v2" else 1e-5
    return config
