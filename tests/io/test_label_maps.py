"""A dataset's label maps, read by their own rule."""

import io

import numpy as np
import pytest
from PIL import Image
from support.mask_files import SIZE, palette_image, squares

from vosjax.errors import InputError
from vosjax.io.palette import DAVIS, decode_labels


def test_label_maps_are_read_as_stored(tmp_path):
    labels = squares(1, 2, 255)
    for name, image in {
        "palette.png": palette_image(labels),
        "grey.png": Image.fromarray(labels),
        "colours.png": Image.fromarray(np.repeat(labels[..., None], 3, axis=2)),
    }.items():
        image.save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        for source in (tmp_path / name, data, io.BytesIO(data)):
            np.testing.assert_array_equal(decode_labels(source, void=255), labels)


def test_a_binary_label_map_is_object_one_where_255_is_void(tmp_path):
    """As in DAVIS 2016, where bear/00077 has an alpha channel besides."""
    full = Image.new("L", SIZE[::-1], 255)
    Image.merge("LA", [Image.fromarray(squares(255)), full]).save(tmp_path / "m.png")
    np.testing.assert_array_equal(decode_labels(tmp_path / "m.png", void=255), squares(1))
    np.testing.assert_array_equal(decode_labels(tmp_path / "m.png"), squares(255))


def test_label_maps_of_colours_or_wide_ids_are_refused(tmp_path):
    Image.fromarray(DAVIS[squares(1)]).save(tmp_path / "rgb.png")
    with pytest.raises(InputError, match="rgb.png holds colours .an RGB image."):
        decode_labels(tmp_path / "rgb.png")
    Image.fromarray(squares(1).astype(np.uint16) * 300).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match="wide.png holds ids up to 300"):
        decode_labels(tmp_path / "wide.png")
