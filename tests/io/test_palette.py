"""Label maps come back exactly from palette PNGs, in the colours of DAVIS."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.palette import DAVIS, read_label_png, write_label_png


def test_the_davis_palette_starts_as_published():
    assert DAVIS[:8].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
    ]
    assert DAVIS[255].tolist() == [224, 224, 192]
    assert len({tuple(c) for c in DAVIS.tolist()}) == 256


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
@settings(max_examples=50, deadline=None)
def test_label_maps_come_back_exactly(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("png") / "x.png"
    write_label_png(path, labels)
    np.testing.assert_array_equal(read_label_png(path), labels)


def test_label_maps_show_their_palette(tmp_path):
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    write_label_png(tmp_path / "x.png", labels)
    np.testing.assert_array_equal(Image.open(tmp_path / "x.png").convert("RGB"), DAVIS[labels])


@pytest.mark.parametrize(
    "labels", [np.zeros((2, 2)), np.zeros((2, 2), np.uint16), np.zeros((2, 2, 1), np.uint8)]
)
def test_label_maps_of_another_type_are_refused(tmp_path, labels):
    with pytest.raises(ValueError, match="uint8"):
        write_label_png(tmp_path / "x.png", labels)


def test_a_damaged_label_map_is_refused(tmp_path):
    write_label_png(tmp_path / "x.png", np.zeros((50, 50), np.uint8))
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:60])
    with pytest.raises(InputError, match="x.png"):
        read_label_png(tmp_path / "x.png")
    with pytest.raises(InputError, match="missing"):
        read_label_png(tmp_path / "y.png")
