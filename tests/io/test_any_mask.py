"""Labels in any exact form come back as the same objects; any bytes give a mask or one line."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks import read_masks
from vosjax.io.palette import DAVIS, decode_labels, write_label_png

SIZE = (12, 16)
# Colours of objects that no shade or mixture of one another can be taken for.
COLOURS = np.uint8(
    [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]
)


@st.composite
def labels(draw):
    """Objects 1..n as blocks of 3x4 pixels, which no smoothing leaves behind."""
    blocks = draw(hnp.arrays(np.uint8, (4, 4), elements=st.integers(0, len(COLOURS) - 1)))
    if blocks.all():
        blocks[0, 0] = 0
    if not blocks.any():
        blocks[1, 1] = 1
    return blocks.repeat(3, axis=0).repeat(4, axis=1)


def partition(page):
    return {(page == i).tobytes() for i in np.unique(page) if i}


def write_indexed(path, page, order):
    """The colours at the indices of a permutation."""
    image = Image.fromarray(np.argsort(order).astype(np.uint8)[page])
    image.putpalette(COLOURS[list(order)].tobytes())
    image.save(path)


def write_colours(path, page, order):
    Image.fromarray(COLOURS[page]).save(path, lossless=True)


def write_transparent(path, page, order):
    hidden = np.dstack([COLOURS[page] | (page[..., None] == 0) * np.uint8(7), page * 0])
    hidden[page > 0, 3] = 255
    Image.fromarray(hidden).save(path)


def write_ids(path, page, order):
    Image.fromarray(page).save(path)


def write_wide_ids(path, page, order):
    Image.fromarray(page.astype(np.uint16) * 500).save(path)


def write_davis(path, page, order):
    write_label_png(path, page)


def write_array(path, page, order):
    np.save(path, page.astype(np.int64))


def write_arrays(path, page, order):
    np.savez_compressed(path, page)


def write_runs(path, page, order):
    """A COCO file of run lengths."""
    annotations = []
    for i in np.unique(page[page > 0]).tolist():
        flat = (page == i).T.reshape(-1)
        ends = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
        runs = [0] * int(flat[0]) + np.diff(ends).tolist()
        annotations.append({"segmentation": {"size": list(page.shape), "counts": runs}})
    path.write_text(json.dumps(annotations))


FORMS = [
    *((write_indexed, ending) for ending in ("png", "gif", "tif", "bmp")),
    *((write_colours, ending) for ending in ("png", "tif", "bmp", "webp", "ppm", "qoi")),
    *((write_transparent, ending) for ending in ("png", "tif")),
    *((write_ids, ending) for ending in ("png", "tif", "bmp", "pgm")),
    (write_wide_ids, "png"),
    (write_davis, "png"),
    (write_array, "npy"),
    (write_arrays, "npz"),
    (write_runs, "json"),
]


@pytest.mark.parametrize("write, ending", FORMS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_labels_come_back_as_the_same_objects(tmp_path_factory, write, ending, data):
    page = data.draw(labels())
    order = data.draw(st.permutations(range(len(COLOURS))))
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    write(path, page, order)
    assert partition(read_masks(path, size=SIZE).labels[0]) == partition(page)


@given(page=hnp.arrays(np.uint8, SIZE))
@settings(max_examples=50, deadline=None)
def test_any_label_map_is_decoded_as_stored(page):
    out = io.BytesIO()
    image = Image.fromarray(page)
    image.putpalette(DAVIS.tobytes())
    image.save(out, "PNG")
    np.testing.assert_array_equal(decode_labels(out.getvalue()), page)


def whole_files():
    """{ending: the bytes of a mask}."""
    page = np.zeros(SIZE, np.uint8)
    page[2:7, 2:7], page[5:9, 9:14] = 1, 2
    files = {}
    indexed, colours = Image.fromarray(page), Image.fromarray(COLOURS[page])
    indexed.putpalette(DAVIS.tobytes())
    for ending, image, options in (
        ("png", indexed, {}),
        ("gif", indexed, {"save_all": True, "append_images": [indexed.rotate(180)]}),
        ("tif", indexed, {"save_all": True, "append_images": [indexed]}),
        ("lzw.tif", indexed, {"compression": "tiff_lzw"}),
        ("bmp", indexed, {}),
        ("webp", colours, {"lossless": True}),
        ("ppm", colours, {}),
        ("qoi", colours, {}),
        ("jpg", colours, {}),
    ):
        out = io.BytesIO()
        format = {"tif": "TIFF", "lzw.tif": "TIFF", "jpg": "JPEG", "ppm": "PPM"}.get(ending, ending)
        image.save(out, format, **options)
        files[ending] = out.getvalue()
    for ending, save in (("npy", np.save), ("npz", np.savez_compressed)):
        out = io.BytesIO()
        save(out, page)
        files[ending] = out.getvalue()
    square = [{"segmentation": [[2, 2, 9, 2, 9, 9, 2, 9]], "image_id": 1, "category_id": 1}]
    files["json"] = json.dumps({"annotations": square, "images": [{"id": 1}]}).encode()
    return files


WHOLE = whole_files()


@pytest.mark.parametrize("ending", WHOLE)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_gives_a_mask_or_one_line(tmp_path_factory, ending, data):
    content = bytearray(WHOLE[ending])
    offset = st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(offset, st.integers(0, 255)), max_size=6)):
        content[at] = value
    content = content[: data.draw(st.sampled_from([len(content), data.draw(offset)]))]
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    path.write_bytes(content)
    for size in (SIZE, None):
        try:
            masks = read_masks(path, size=size, count=5)
            assert all(note.isprintable() for note in (*masks.notes, *masks.doubts))
        except InputError as error:
            assert str(error).isprintable()


@given(content=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_a_mask_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_masks(path, size=SIZE)
    assert str(caught.value).isprintable()


@given(
    array=hnp.arrays(
        hnp.scalar_dtypes() | hnp.boolean_dtypes() | hnp.unsigned_integer_dtypes(),
        hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_array_gives_masks_or_one_line(array):
    try:
        masks = read_masks(array)
        assert all(page.any() and page.dtype in (np.uint8, np.uint16) for page in masks[0].values())
    except InputError as error:
        assert str(error).isprintable()
