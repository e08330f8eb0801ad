"""Masks on the command line: a line says what was read, or why it cannot be."""

import numpy as np
import pytest
from PIL import Image
from support.command import FRAMES, LABELS, masks_of, write_frames


def test_what_was_read_is_said_before_the_first_frame(place, capsys):
    assert place.segment() == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"2 objects (ids 1, 2) in frame 0 (00000) from {place.mask}, a palette image"


def test_an_indexed_image_gives_what_it_shows(place, capsys):
    image = Image.fromarray((LABELS[0] + 2) % 3)  # black at index 2
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 0, 0])
    image.save(place.mask)
    assert place.segment() == 0
    assert "id 1 is the colour (0, 0, 255), id 2 is the colour (255, 0, 0)" in (
        capsys.readouterr().out
    )
    first = masks_of(place.out)[0]
    np.testing.assert_array_equal(first, np.uint8([0, 2, 1])[LABELS[0]])


@pytest.mark.parametrize("options", [{"quality": 100}, {"quality": 60}])
def test_a_jpeg_is_refused_in_one_line(place, capsys, options):
    file = place.root / "mask.jpg"
    Image.fromarray((LABELS[0] == 1).astype(np.uint8) * 255).save(file, **options)
    assert place.segment(masks=str(file)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "stored with loss (JPEG)" in err


def test_a_number_that_is_a_name_is_a_name_and_that_is_said(place, capsys):
    frames = write_frames(place.root / "later", FRAMES[:5])
    for index in reversed(range(5)):
        (place.root / "later" / f"{index:05d}.png").rename(
            place.root / "later" / f"{index + 1:05d}.png"
        )
    assert place.segment("--direction=forward", video=frames, masks=f"2={place.mask}") == 0
    assert "note: 2 means the frame named 00002, counted from 0 it is frame 1" in (
        capsys.readouterr().out
    )
    assert not masks_of(place.out)[0].any() and masks_of(place.out)[1].any()


def test_an_empty_name_is_refused(place, capsys):
    assert (
        place.run(
            "--config", place.config, "--video", place.video, "--masks=", "--output", place.out
        )
        == 2
    )
    assert "--masks is an empty text" in capsys.readouterr().err
