"""`--mode render`: a dataset folder of rendered clips, whose truth is known in every frame."""

from types import SimpleNamespace
from typing import Any

from vosjax.errors import InputError
from vosjax.eval import rendered_set

FLAGS = ("output",)
FIELDS = ("render",)


def run(config: Any, options: SimpleNamespace) -> int:
    """Writes the clips that `config.render` describes into `options.output`, in DAVIS layout.

    Raises:
      InputError: no output folder, a number below 1, or a folder that cannot be written.
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
    )
    print(
        f"{options.output}: {settings.clips} clips of {settings.frames} frames; "
        f"--mode eval --data {options.output} runs them"
    )
    return 0
