"""Labels and images that the tests of mask files write, and a check for stray output."""

import warnings

import numpy as np
import pytest
from PIL import Image

from vosjax.io.palette import DAVIS

SIZE = (20, 30)


def squares(*ids, size=SIZE):
    """Labels with one 6x6 square for each id."""
    labels = np.zeros(size, np.uint8)
    for i, value in enumerate(ids):
        labels[2 + 8 * (i // 3) :, 2 + 9 * (i % 3) :][:6, :6] = value
    return labels


PAGES = [squares(1), squares(), squares(1, 2)]


def palette_image(labels):
    """A palette image in DAVIS' colours."""
    image = Image.fromarray(labels)
    image.putpalette(DAVIS.tobytes())
    return image


def by_frame(masks):
    """{frame: the ids that its mask shows}."""
    return {frame: sorted(set(np.unique(m).tolist()) - {0}) for frame, m in masks.labels.items()}


@pytest.fixture(autouse=True)
def no_word_but_the_error(capfd):
    """Neither decoders nor NumPy write or warn beside what is returned or raised."""
    with warnings.catch_warnings(action="error"):
        yield
    out, err = capfd.readouterr()
    assert out == err == ""
