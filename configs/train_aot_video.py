"""AOT's second stage: videos of YouTube-VOS and DAVIS, own predictions in its second half.

    python launch.py --config configs/train_aot_video.py:r50 --config.data.root=DATASETS \\
        --config.train.init=runs/static/weights --output runs/video

`r50` names the network as in configs/train_aot_static.py. DATASETS holds what
configs/prepare_youtube_vos.py and configs/prepare_davis.py made.

Expected: J&F near those published for the network (configs/aot_r50.py says 85.2 on DAVIS 2017 val).
"""

from configs import data_youtube_vos, train_aot_static


def get_config(network="l"):
    config = train_aot_static.with_network(data_youtube_vos.get_config(), network)
    config.train.lr_min = 2e-5 if config.model.encoder == "mobilenet_v2" else 1e-5
    return config
