"""The parts of a training config, with AOT's recipe as their values; configs change what differs."""

import ml_collections


def train() -> ml_collections.ConfigDict:
    """`config.train`: how the weights are found. Shares are of the number of steps."""
    return ml_collections.ConfigDict(
        dict(
            steps=100_000,
            batch=16,  # clips a step, over all devices
            seed=0,
            init="",  # '': fresh; encoders' .pth or .npz; a model's folder (`start.params`)
            scale=(),  # (regular expression, factor): weights scaled before the first step
            freeze="",  # weights that never move, beside the network's own frozen ones
            # the optimizer
            optimizer="adamw",  # 'adam': L2 in place of decoupled decay
            lr=4e-4,
            lr_min=2e-5,
            encoder_lr=0.1,  # share of the head's rate above lr_min
            warmup=0.05,
            power=0.9,
            milestones=(),  # where given: steps at which the rate falls to a tenth, no polynomial
            weight_decay=0.03,
            no_decay="",  # regular expression of weights without decay; vectors never have any
            clip=5.0,
            # the loss
            hard_begin=0.0,  # the share of pixels in the cross-entropy falls from 1 here ...
            hard_end=0.5,  # ... to hard_least here
            hard_least=0.15,
            jaccard_weight=0.5,
            aux=0.1,  # the reference frame's loss has faded by here
            loss_stride=1,
            # the clip
            memory_gap=9999,  # frames between two remembered ones; 9999: the reference alone
            gap=9999,  # the same where the model is used: goes to its card
            feedback="hard",  # 'soft': probabilities, with their gradient
            own_from=1.0,  # from here on own predictions are fed back
            held="",  # weights that rest while they are (a regular expression)
            remat=False,  # compute frames twice to save memory
            cpu_devices=0,  # split a CPU into so many devices; a batch is shared among all devices
            workers=0,  # processes that make clips
            threads=2,  # threads in each that make clips ahead of time
            source="",  # what the weights were made from, and under which licence: for their card
            licence="",
            log=dict(
                every=20, pictures=200, validate=200, checkpoint=500, keep=3, clips=4, frames=12
            ),
        )
    )


def data() -> ml_collections.ConfigDict:
    """`config.data`: what the clips are made of (`vosjax.data.pipeline.ClipsConfig`)."""
    return ml_collections.ConfigDict(
        dict(
            stills="",  # folder with images/ and masks/; '': rendered clips only
            frames=5,
            height=465,
            width=465,
            max_objects=10,
            motion=1.0,
            stills_weight=0.7,
            rendered_weight=0.3,
        )
    )


def config(family: str, **model) -> ml_collections.ConfigDict:
    """A whole training config of one stage; `stages` lists changes of train and data, in order."""
    return ml_collections.ConfigDict(
        dict(mode="train", family=family, model=dict(model), train=train(), data=data(), stages=())
    )
