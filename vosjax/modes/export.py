"""`--mode export`: the averaged weights of a training run's newest or best checkpoint, for use."""

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.terminal import say
from vosjax.modes import Options
from vosjax.train import export

FLAGS = ("input", "output")
FIELDS = ("train.export", "train.source", "train.licence", "train.card_mem_every")
ALSO = ("family", "model", "top_k", "data", "patches", "marks", "stages")  # the same as in the run


def run(config: Config, options: Options) -> int:
    """Writes the weights of the run in the folder `options.input` to `options.output`.

    The run may still be in progress. `train.export` names the checkpoint: 'newest', 'best' (of the
    validation J that checkpoints were stored with) or the number of a step.

    Raises:
        InputError: a folder is not named, has no complete checkpoint, or has one of another config.
    """
    if not options.input or not options.output:
        raise InputError(
            "export needs a run and a place for its weights: give --input RUN, the "
            "--output of a training, and --output FOLDER"
        )
    if config.train is None:
        raise InputError(
            "this config has no training part: take the one that the run was made with"
        )
    card = export.from_checkpoint(config, options.input, options.output)
    say(f"weights of step {card['training']['steps']}: {options.output}")
    return 0
