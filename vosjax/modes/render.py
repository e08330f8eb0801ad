"""`--mode render`: a dataset folder of clips, rendered or made from photos, with their truth."""

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.eval import rendered_set, sampled_set
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("output", "overwrite")
FIELDS = ("render", "data", "train.seed")


def run(config: Config, options: Options) -> int:
    """Writes clips to `options.output`, in DAVIS layout.

    They are the clips that `config.render` describes or, if its source is 'data', as many clips of
    the training, of the size and length in `config.data`.

    Raises:
        InputError: there is no output folder, a number is below 1, data is missing or cannot be
            read, or the folder cannot be written.
    """
    if options.output is None:
        raise InputError("--output is missing; rendering takes --output FOLDER")
    settings, frames = config.render, config.render.frames
    if settings.source == "data":
        data = config.data
        if data is None or config.train is None:
            raise InputError(
                "render.source is 'data', and this config has no training data: take "
                "configs/render_photos.py or one of configs/data_*.py"
            )
        frames = data.frames
        sampled_set.write(
            options.output,
            data,
            clips=settings.clips,
            seed=config.train.seed,
            overwrite=options.overwrite,
        )
    else:
        rendered_set.write(
            options.output,
            clips=settings.clips,
            frames=frames,
            size=(settings.height, settings.width),
            objects=settings.objects,
            object_size=settings.object_size,
            overwrite=options.overwrite,
        )
    say(
        f"{options.output}: {settings.clips} clips of {frames} frames; "
        f"--mode eval --data {options.output} runs them"
    )
    return 0
