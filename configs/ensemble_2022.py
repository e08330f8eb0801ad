"""The entry of arXiv 2206.09585 (YouTube-VOS 2022, 5th place): three families, six views each.

    python launch.py --config configs/ensemble_2022.py --data ytvos2022/test --output runs/entry \\
        --config.members.aot.weights=weights/aot_swin \\
        --config.members.stcn.weights=weights/stcn \\
        --config.members.famnet.weights=runs/famnet/weights

AOT with Swin-B and LSTT V2, STCN and FAMNet see every frame at 1.2, 1.3 and 1.4 times 480 pixels,
and mirrored; each view has its own memory, and the 18 predictions are averaged at the frame's size.
The paper also tried maximum weighting (`--config.fuse=max`) and key-point voting, and chose the
mean. On several machines, each member runs separately and their files are fused:

    python launch.py --mode eval --config configs/ensemble_2022.py --data ytvos2022/test \\
        --output runs/aot --config.only=aot --config.eval.probabilities=8
    python launch.py --mode fuse --config configs/ensemble_2022.py \\
        --input runs/aot runs/stcn runs/famnet --output runs/fused --config.fuse=keypoints

The sampling of memory frames is balanced over long and short videos (about 30 frames each). The
paper's refinement of boundaries and of small objects follows after that and is not included.

Expected: submission.zip. The paper's figures on the test server, with its own data, weights and
refinement: 86.1 overall, J 84.7 seen and 80.8 unseen, F 90.1 and 89.0. Its AOT and FAMNet weights
were never published.
"""

from vosjax.config import named


def get_config():
    config = named("ensemble")
    swin = named("aot_swin")
    config.members.aot.update(family=swin.family, model=swin.model)
    config.mode = "eval"
    config.tta.update(flip=True, scales=(1.2, 1.3, 1.4), max_short_side=480)
    config.balance, config.balance_low, config.balance_high = 30, 2, 20
    config.eval.all_frames = True
    return config
