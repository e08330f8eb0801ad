"""The training of arXiv 2206.09585, from ImageNet weights to the averaged weights, in one command.

    python launch.py --config configs/train_seed.py --config.data.root=DATASETS --output runs/seed
    python launch.py --config configs/train_seed.py:r50 --config.data.root=DATASETS \\
        --output runs/seed_r50

DATASETS holds what configs/prepare.py:static, :youtube_vos, :davis and :videos made, and in
`imagenet/` the encoder's published ImageNet weights, under the name that INIT gives them; with
`--config.train.init=` the encoder starts from random weights. The same command resumes a run.

| variant | network | videos | strong augmentation | YouTube-VOS 2019 val |
|---|---|---|---|---|
| r50 | R50-AOT-L | YouTube-VOS, DAVIS | to the end | 85.3 |
| swin | SwinB-AOT-L | YouTube-VOS, DAVIS | to the end | 85.5 |
| lstt_v2 | SwinB-AOTv2-L | YouTube-VOS, DAVIS | to the end | 85.7 |
| more_video | SwinB-AOTv2-L | and YouTube-VIS, OVIS, VSPW | to the end | 86.2 |
| augmentation_off | SwinB-AOTv2-L | and YouTube-VIS, OVIS, VSPW | up to the last tenth | 86.6 |

The last one is the default. `effnet`, `resnext`, `stcn` and `famnet` are the other members of the
paper's ensemble. docs/training.md says which settings are the paper's and which are this project's.
Where a data set is missing, an error names it before the first step, and the flag that trains
without it. `--config.stages[1].data.phases[0].after=0.95` makes the last phase half as long.

Expected: 230,000 steps on accelerators, a checkpoint folder for each stage, and weights in
runs/seed/weights. The figures are those of table 2 of the paper (overall, all frames at 30 frames
a second); no run of this config has reached them yet, as none has been made at full length.
"""

from typing import NamedTuple

from vosjax import models
from vosjax.config import named, training, variant

STILLS = named("data_static").data.sets + (dict(folder="pascal_voc", split="val"),)
YOUTUBE_VOS = dict(folder="youtube_vos/2019", max_frame_gap=3, thin=5)
DAVIS = dict(folder="davis/2017_480p", max_frame_gap=12, repeat=5)
TWO = (YOUTUBE_VOS, DAVIS)
FIVE = TWO + (
    dict(folder="youtube_vis/2021", max_frame_gap=3, thin=5),
    dict(folder="ovis", max_frame_gap=3, thin=5),
    dict(folder="vspw/classes", max_frame_gap=7, thin=2),  # 15 frames a second
)
END = 1.0


class Recipe(NamedTuple):
    """A variant: its network, its videos, and the share of the last stage with augmentation."""

    network: str
    videos: tuple
    augmented: float


AOT = {  # each line of the paper's table 2 changes one thing of the line above it
    "r50": Recipe("aot:r50", TWO, END),
    "swin": Recipe("aot:swin", TWO, END),
    "lstt_v2": Recipe("aotv2:swin", TWO, END),
    "more_video": Recipe("aotv2:swin", FIVE, END),
    "augmentation_off": Recipe("aotv2:swin", FIVE, 0.9),
    # the ensemble
    "effnet": Recipe("aotv2:effnet", FIVE, 0.9),
    "resnext": Recipe("aotv2:resnext", FIVE, 0.9),
}
MATCHING = {  # of the ensemble, too; their own augmentation, which has no such phase, stays
    "stcn": Recipe("stcn", FIVE, END),
    "famnet": Recipe("famnet", FIVE, END),
}
INIT = {  # encoders' published ImageNet weights, in DATASETS
    "resnet:50": "imagenet/resnet50.pth",
    "resnet:resnext50_32x4d": "imagenet/resnext50_32x4d.pth",
    "swin:b": "imagenet/swin_base_patch4_window7_224.pth",
    "efficientnet:b3": "imagenet/efficientnet_b3.pth",
    "stcn": "key_encoder=imagenet/resnet50.pth,value_encoder=imagenet/resnet18.pth",
    "famnet": "query_encoder=imagenet/resnet50.pth,memory_encoder=imagenet/resnet50.pth",
}


def get_config(name="augmentation_off"):
    chosen = variant(AOT | MATCHING, name)
    return aot(chosen) if name in AOT else matching(chosen)


def aot(line):
    chosen = named(line.network)
    config = training(chosen.family, **chosen.model)
    model = models.build(config.family, **config.model)
    height, width = model.vos.size(465, 465)  # Swin takes 464
    config.data.update(root="", height=height, width=width, rendered_weight=0.0)
    config.train.update(
        init=INIT[chosen.model.encoder],
        lr_min=2e-5,
        card_mem_every=chosen.mem_every,
        mem_every=2,
        held="^identity/",
        no_decay="relative_value|relative_bias|position_bias_table|decoder/out",
    )
    last = dict(after=line.augmented, sets=(YOUTUBE_VOS,), plain=True)
    config.stages = (
        dict(
            name="stills",
            data=dict(sets=STILLS),
            train=dict(steps=100_000, batch=32, lr=4e-4, weight_decay=0.03, aux=0.1),
        ),
        dict(
            name="video",
            data=dict(
                sets=line.videos,
                merge=0.3,
                colour=True,
                phases=(last,) if line.augmented < END else (),
            ),
            train=dict(steps=130_000, batch=16, lr=2e-4, weight_decay=0.07, aux=1.0, own_from=0.5),
        ),
    )
    return config


def matching(line):
    config = named(f"train_stcn:{line.network}")
    config.train.init = INIT[line.network]
    stills, videos = config.stages
    videos = dict(videos, name="video", data=dict(videos["data"], sets=line.videos))
    config.stages = (stills, videos)
    return config
