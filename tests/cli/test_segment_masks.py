"""Masks on the command line: a line says what was read, or why it cannot be."""

import numpy as np
import pytest
from PIL import Image
from support.command import FRAMES, LABELS, masks_of, write_frames


def test_what_was_read_is_said_before_the_first_frame(workdir, capsys):
    assert workdir.segment() == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"2 objects (ids 1, 2) in frame 0 (00000) from {workdir.mask}, a palette image"


def test_an_indexed_image_gives_what_it_shows(workdir, capsys):
    image = Image.fromarray((LABELS[0] + 2) % 3)  # black at index 2
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 0, 0])
    image.save(workdir.mask)
    assert workdir.segment() == 0
    assert "id 1 is the colour (0, 0, 255), id 2 is the colour (255, 0, 0)" in (
        capsys.readouterr().out
    )
    first = masks_of(workdir.out)[0]
    np.testing.assert_array_equal(first, np.uint8([0, 2, 1])[LABELS[0]])


@pytest.mark.parametrize("options", [{"quality": 100}, {"quality": 60}])
def test_a_jpeg_is_refused_in_one_line(workdir, capsys, options):
    file = workdir.root / "mask.jpg"
    Image.fromarray((LABELS[0] == 1).astype(np.uint8) * 255).save(file, **options)
    assert workdir.segment(masks=str(file)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "stored with loss (JPEG)" in err


def test_a_number_that_is_a_name_is_a_name_and_that_is_said(workdir, capsys):
    frames = write_frames(workdir.root / "later", FRAMES[:5])
    for index in reversed(range(5)):
        (workdir.root / "later" / f"{index:05d}.png").rename(
            workdir.root / "later" / f"{index + 1:05d}.png"
        )
    assert workdir.segment("--direction=forward", video=frames, masks=f"2={workdir.mask}") == 0
    assert "note: 2 means the frame named 00002, counted from 0 it is frame 1" in (
        capsys.readouterr().out
    )
    assert not masks_of(workdir.out)[0].any() and masks_of(workdir.out)[1].any()


def test_an_empty_name_is_refused(workdir, capsys):
    assert (
        workdir.run(
            "--config",
            workdir.config,
            "--video",
            workdir.video,
            "--masks=",
            "--output",
            workdir.out,
        )
        == 2
    )
    assert "--masks is an empty text" in capsys.readouterr().err
