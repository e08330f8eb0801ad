"""YouTube-VOS validation at 30 frames/s, scored by its server: AOT-L with ResNet-50.

    python launch.py --config configs/eval_youtube.py --config.weights=weights/aot_r50 \\
        --data ytvos2019/valid --output runs/ytvos19

`ytvos2019/valid` has JPEGImages, Annotations and meta.json; the dense frames are beside it in
`valid_all_frames`. `--config.eval.all_frames=False` tracks the sparse frames only. On a part of
the training set, whose ground truth is public, `--config.eval.seen=ytvos2019/train` computes the
seen and unseen scores locally.

Expected: submission.zip for the server, 85.3 with the published weights.
"""

from vosjax.config import named


def get_config():
    config = named("aot:r50")
    config.mode = "eval"
    config.eval.all_frames = True
    return config
