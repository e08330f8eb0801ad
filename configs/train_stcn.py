"""Trains STCN as its authors do: photos with one object, then videos with two; also `:famnet`.

    python launch.py --config configs/train_stcn.py --config.data.root=DATASETS --output runs/stcn
    python launch.py --config configs/train_stcn.py:famnet --config.data.root=DATASETS \\
        --output runs/famnet

DATASETS holds what configs/prepare.py:static, :youtube_vos and :davis made. The reference starts
from torchvision's ImageNet weights (V1); the same is done by

    --config.train.init=key_encoder=resnet50.pth,value_encoder=resnet18.pth
    --config.train.init=query_encoder=resnet50.pth,memory_encoder=resnet50.pth      (FAMNet)

where the input channels of masks start with orthogonal weights. Otherwise encoders start at random.

Expected: 450 000 steps of three frames. 85.3 J&F on DAVIS 2017 val was published for STCN with
BL30K (rendered videos) in place of the last stage's first steps, which is not included here. No
figures of FAMNet are known, as the original was not published; STM reaches 81.8 on the same data.
"""

from vosjax.config import training, variant
from vosjax.data.choose import skip_curriculum

STILLS, VIDEOS = 300_000, 150_000  # steps of the stages 0 and 3
NETWORKS = {
    "stcn": ("stcn", dict(top_k=None)),
    "famnet": ("famnet", dict(align=True, aspp=True, top_k=None)),
}


def get_config(name="stcn"):
    family, model = variant(NETWORKS, name)
    config = training(family, **model)
    # The reference sums the losses of its two frames and decays by 1e-7. With the mean of the
    # losses, half of that decay gives the same step of Adam.
    config.train.update(
        optimizer="adam",
        lr=1e-5,
        lr_min=0.0,
        encoder_lr=1.0,
        weight_decay=5e-8,
        clip=0.0,
        jaccard_weight=0.0,
        aux=0.0,
        mem_every=1,
        card_mem_every=5,
        feedback="soft",
        own_from=0.0,
    )
    (_, first), *later = skip_curriculum(VIDEOS)
    config.data.update(
        root="", sampler="stcn", frames=3, height=384, width=384, rendered_weight=0.0
    )
    sets = tuple(dict(folder=folder) for folder in ("ecssd/binary", "msra10k/binary"))
    config.stages = (
        dict(
            name="stills",
            data=dict(max_objects=1, sets=sets),
            train=dict(steps=STILLS, batch=16, milestones=(STILLS // 2,), **hard(STILLS)),
        ),
        dict(
            name="videos",
            data=dict(
                max_objects=2,
                skip=first,
                sets=(
                    dict(folder="youtube_vos/2019", thin=5),
                    dict(folder="davis/2017_480p", repeat=5),
                ),
                phases=tuple(dict(start=start, skip=skip) for start, skip in later),
            ),
            train=dict(steps=VIDEOS, batch=8, milestones=(125_000,), **hard(VIDEOS)),
        ),
    )
    return config


def hard(steps):
    """Counts all pixels up to step 20 000, and the hardest 15 % from step 70 000 on."""
    return dict(hard_begin=20_000 / steps, hard_end=70_000 / steps, hard_least=0.15)
