"""`--mode patches`: training patches along boundaries, from a run's coarse masks and the truth."""

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.terminal import say
from vosjax.modes import Options
from vosjax.train import patches
from vosjax.train.config import PatchesConfig

FLAGS = ("input", "data", "output")
FIELDS = ("patches.side", "patches.threshold", "patches.least_iou", "patches.every")
ALSO = ("patches",)


def run(config: Config, options: Options) -> int:
    """Writes the patches of the run `options.input` to the folder `options.output`.

    The run is one of `--mode eval` on the dataset `options.data`, which holds the truth. Objects of
    the run that the truth does not confirm, and masks that were given, give no patches. Files of
    videos of the same names are replaced, so that several runs may go to one folder.

    Raises:
        InputError: one of the three is missing, or the run has no masks of the dataset's videos, or
            none of them gives a patch.
    """
    if not options.input or not options.data or not options.output:
        raise InputError(
            "patches are made from a run and the truth: give --input RUN, the --output of "
            "--mode eval, --data DATASET and --output FOLDER"
        )
    total, objects, dropped = 0, 0, 0
    settings = config.patches or PatchesConfig()
    for video in patches.make(options.input, options.data, options.output, settings):
        say(f"{video.name}: {video.patches} patches")
        total, objects = total + video.patches, objects + video.objects
        dropped += video.dropped
    if not total:
        raise InputError(
            f"no object of {options.input} gives a patch: {dropped} masks overlap no object of the "
            f"truth by more than {settings.least_iou}, and the rest equal it"
        )
    say(
        f"{total} patches of {objects} masks, {dropped} masks dropped: {options.output}; train on "
        "them by configs/train_boundary.py"
    )
    return 0
