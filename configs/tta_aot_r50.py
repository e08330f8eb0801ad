"""AOT-L with ResNet-50 and test-time augmentation: three scales of 480 pixels, with mirror images.

    python launch.py --config configs/tta_aot_r50.py --config.weights=weights/aot_r50 \\
        --data ytvos2019/valid --output runs/ytvos19_tta

Frames are limited to 480 x 800 pixels, then enlarged 1.2, 1.3 and 1.4 times (545x961, 577x1041,
625x1121 for 16:9). Each of the six views has its own memory; their probabilities are averaged in
every frame. `--config.eval.spread=True` distributes the views over the devices. All other configs
and `--mode segment` take the same `tta`.

Expected: submission.zip for the server, at about a tenth of the speed of one view.
"""

from vosjax.config import named


def get_config():
    config = named("eval_youtube")
    config.tta.update(flip=True, scales=(1.2, 1.3, 1.4), max_short_side=480)
    return config
