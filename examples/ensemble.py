"""Two views of a network as one: it looks at the video as it is and at its mirror image.

    python -m examples.ensemble dog.mp4 dog.png --output fused

Both remember the masks that they agreed on (`feedback="fused"`), in one compiled step. Networks of
different families are combined in the same way; `configs/ensemble.py` does so on the command line.
"""

import argparse
import pathlib

import vosjax
from vosjax.compose.combinators import confidence_weighted, ensemble, flip, stateless
from vosjax.io.palette import write_label_png


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", help="a video file or a folder of images")
    parser.add_argument("mask", help="a mask of its first frame")
    parser.add_argument("--output", default="output/ensemble", help="where the masks go")
    parser.add_argument("--weights", help="a folder of weights; the embedded default if left out")
    options = parser.parse_args(arguments)

    model = both_ways(vosjax.load(options.weights))
    for result in vosjax.segment(options.video, options.mask, model=model):
        write_label_png(pathlib.Path(options.output) / f"{result.name}.png", result.labels)
    print(f"{options.output}: {result.index + 1} masks")


def both_ways(model):
    """The model and its mirror image as one; the surer of the two weighs more in each pixel."""
    vos = model.model.vos
    fused = ensemble([vos, flip(vos)], feedback="fused", fusion=stateless(confidence_weighted))
    # The weights of an ensemble are the tuple of its members' weights.
    return model._replace(model=model.model._replace(vos=fused), params=(model.params,) * 2)


if __name__ == "__main__":
    main()
