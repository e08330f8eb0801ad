"""The entry of arXiv 2206.09585 (YouTube-VOS 2022, 5th place): three families, six views each.

    python launch.py --config configs/ensemble_2022.py --data ytvos2022/test --output runs/entry \\
        --config.members.aot.weights=weights/aot_swin \\
        --config.members.stcn.weights=weights/stcn \\
        --config.members.famnet.weights=runs/famnet/weights \\
        --config.refine.zoom=weights/dimp50 --config.refine.boundary=runs/boundary/weights

AOT with Swin-B and LSTT V2, STCN and FAMNet see every frame at 1.2, 1.3 and 1.4 times 480 pixels,
and mirrored; each view has its own memory, and the 18 predictions are averaged at the frame's size.
The paper also tried maximum weighting (`--config.fuse=max`) and key-point voting, and chose the
mean. The sampling of memory frames is balanced over long and short videos (about 30 frames each).

When a video is through, the ensemble segments its small objects again in enlarged crops
(docs/zoom.md), and a network of configs/train_boundary.py or configs/bpr.py refines all boundaries
(docs/refinement.md). The last two flags name the weights of the box tracker and of that network.
Without the first of them crops follow the masks and their motion alone; without the second,
boundaries stay as they are. The zip file for the server is written after both.

On several machines, each member runs separately, unrefined, and their files are fused; fusing takes
the weights of all members, which segment the crops:

    python launch.py --mode eval --config configs/ensemble_2022.py --data ytvos2022/test \\
        --output runs/aot --config.only=aot --config.members.aot.weights=weights/aot_swin \\
        --config.eval.probabilities=8 --config.refine.zoom=
    python launch.py --mode fuse --config configs/ensemble_2022.py \\
        --input runs/aot runs/stcn runs/famnet --output runs/fused --config.fuse=keypoints \\
        --config.members.aot.weights=weights/aot_swin \\
        --config.members.stcn.weights=weights/stcn \\
        --config.members.famnet.weights=runs/famnet/weights

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
    config.refine.zoom = "mask"
    return config
