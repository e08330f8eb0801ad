"""A short training of a matching network on photos and rendered clips: STCN, `:famnet` or `:stm`.

    python launch.py --config configs/train_matching.py:famnet --config.data.stills=STILLS \\
        --output runs/famnet

STILLS has images/ and masks/ (palette PNG); without it, all clips are rendered.

Expected: 400 steps from random encoders, 20 to 30 minutes on four busy cores. With 126 stills,
STCN's mean J over the training clips goes from 0.07 to 0.46 and over rendered validation clips from
0.04 to 0.29; FAMNet's from 0.03 to 0.37 and from 0 to 0.18 (docs/training.md has the curves). It
demonstrates that a family learns; configs/train_stcn.py has the settings of the papers.
"""

from vosjax.config import named, variant

# With a random encoder, features are meaningless at first: the weights of skips and images start
# small, and those that process masks start large.
STCN = (
    ("^decoder/skip", 0.1),
    ("^key_comp", 0.1),
    ("^(decoder|fuser)/.*/conv2/kernel", 0.1),
    ("^fuser/.*/downsample/kernel", 4.0),
    ("^decoder/.*/downsample/kernel", 2.5),
    ("^value_encoder/conv1/kernel", 3.0),
)
STM = (
    ("_key/", 2.0),
    ("^query_value", 0.1),
    ("^decoder/skip[48]/", 0.1),
    ("^decoder/.*/conv2/kernel", 0.1),
    ("^(decoder/conv16|memory_value)/kernel", 2.5),
    ("^decoder/pred/kernel", 0.5),
)
NETWORKS = {
    "stcn": ("stcn", dict(top_k=None), STCN),
    "famnet": ("famnet", dict(top_k=None), STM),
    "stm": ("famnet", dict(top_k=None, align=False, aspp=False), STM),
}


def get_config(name="stcn"):
    family, model, scale = variant(NETWORKS, name)
    config = named(f"train_stcn:{family}")
    config.model = model
    config.stages = ()
    config.data.update(
        sampler="aot",
        height=96,
        width=96,
        frames=3,
        max_objects=2,
        motion=0.4,
        stills_weight=0.7,
        rendered_weight=0.3,
    )
    config.train.update(
        steps=400,
        batch=4,
        lr=6e-5,
        lr_min=1e-5,
        warmup=0.03,
        hard_begin=0.2,
        hard_end=0.8,
        hard_least=0.3,
        clip=5.0,
        jaccard_weight=0.5,
        scale=scale,
    )
    config.train.log.update(every=10, pictures=100, validate=25, checkpoint=50, clips=8, frames=6)
    return config
