"""Three families as one network, in one compiled step: AOT, STCN and FAMNet, fused by their mean.

    python launch.py --config configs/ensemble.py --video clip.mp4 --masks first.png --output out \\
        --config.members.aot.weights=weights/aotv2_r50 \\
        --config.members.stcn.weights=weights/stcn \\
        --config.members.famnet.weights=runs/famnet/weights

Each remembers its own masks; `--config.feedback=fused` lets all remember the fused ones.
`--config.fuse=keypoints` weighs them by matched key points. To take the embedded model for AOT, give
`--config.members.aot.family= --config.members.aot.weights=default`.

Expected: masks, overlay, scores and run.json in `out`; about the time of the three one after
another.
"""

from configs import aotv2_r50, base, famnet, stcn


def get_config():
    config = base.recipe(gap=5)
    config.members = {
        name: {"family": recipe.family, "model": recipe.model.to_dict(), "weights": ""}
        for name, recipe in (
            ("aot", aotv2_r50.get_config()),
            ("stcn", stcn.get_config()),
            ("famnet", famnet.get_config()),
        )
    }
    config.feedback, config.fuse = "own", "mean"
    return config
