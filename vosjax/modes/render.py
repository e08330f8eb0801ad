"""`--mode render`: a dataset folder of rendered clips, whose truth is known in every frame."""

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.eval import rendered_set
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("output", "overwrite")
FIELDS = ("render",)


def run(config: Config, options: Options) -> int:
    """Writes the clips that `config.render` describes to `options.output`, in DAVIS layout.

    Raises:
        InputError: there is no output folder, a number is below 1, or the folder cannot be written.
    """
    if options.output is None:
        raise InputError("--output is missing; rendering takes --output FOLDER")
    settings = config.render
    rendered_set.write(
        options.output,
        clips=settings.clips,
        frames=settings.frames,
        size=(settings.height, settings.width),
        objects=settings.objects,
        overwrite=options.overwrite,
    )
    say(
        f"{options.output}: {settings.clips} clips of {settings.frames} frames; "
        f"--mode eval --data {options.output} runs them"
    )
    return 0
