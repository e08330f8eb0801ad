"""Three families as one network, in one compiled step: AOT, STCN and FAMNet, fused by their mean.

    python launch.py --config configs/ensemble.py --video clip.mp4 --masks first.png --output out \\
        --config.members.aot.weights=weights/aotv2_r50 \\
        --config.members.stcn.weights=weights/stcn \\
        --config.members.famnet.weights=runs/famnet/weights

Each network remembers its own masks; with `--config.feedback=fused` all remember the fused masks.
`--config.fuse=keypoints` weights the networks by matched key points. To use the embedded model for
AOT, give `--config.members.aot.family= --config.members.aot.weights=default`.

Expected: masks, overlay, scores and run.json in `out`; about the time of the three one after
another.
"""

from vosjax.config import named, network


def get_config():
    config = network(mem_every=5)
    for name, asked in (("aot", "aotv2:r50"), ("stcn", "stcn"), ("famnet", "famnet")):
        member = named(asked)
        config.members[name] = dict(family=member.family, model=member.model, weights="")
    return config
