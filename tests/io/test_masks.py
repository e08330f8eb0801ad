"""Whatever form a mask has, its objects come out as ids; the rest is refused with a reason."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks import read_mask, read_masks
from vosjax.io.palette import DAVIS, write_label_png

SIZE = (20, 30)


def squares(*ids, size=SIZE):
    """Labels with one 6x6 square for each id."""
    labels = np.zeros(size, np.uint8)
    for i, value in enumerate(ids):
        labels[2 + 8 * (i // 3) :, :][:6, 2 + 9 * (i % 3) :][:, :6] = value
    return labels


def save(path, array):
    Image.fromarray(array).save(path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mask.png"


def test_palette_indices_are_the_ids(path):
    write_label_png(path, squares(3, 7, 200))
    labels, palette = read_mask(path, size=SIZE)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, squares(3, 7, 200))
    np.testing.assert_array_equal(palette, DAVIS)


@given(hnp.arrays(np.uint8, SIZE, elements=st.integers(0, 254)))
@settings(max_examples=30, deadline=None)
def test_any_palette_mask_comes_back_as_written(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("mask") / "x.png"
    labels[0, 0] = 1
    write_label_png(path, labels)
    np.testing.assert_array_equal(read_mask(path).labels, labels)


def test_a_palette_of_ones_own_is_kept(path):
    palette = np.zeros((5, 3), np.uint8)
    palette[3] = (255, 0, 255)
    write_label_png(path, squares(3), palette)
    labels, read_palette = read_mask(path)
    np.testing.assert_array_equal(labels, squares(3))
    assert read_palette.shape == (256, 3) and read_palette[3].tolist() == [255, 0, 255]


def test_small_palettes_of_few_bits_are_read(path):
    image = Image.fromarray(squares(1, 2, 3))
    image.putpalette(DAVIS.tobytes())
    image.save(path, bits=2)
    np.testing.assert_array_equal(read_mask(path).labels, squares(1, 2, 3))


def test_grey_values_are_the_ids(path):
    labels, palette = read_mask(save(path, squares(1, 5, 9)))
    np.testing.assert_array_equal(labels, squares(1, 5, 9))
    assert palette is None


def test_neighbouring_grey_ids_of_thin_objects_are_no_smoothing(path):
    labels = squares(1, 9, 12)
    labels[8, :], labels[9, :], labels[10, :] = 5, 6, 7  # thin, between others in value
    np.testing.assert_array_equal(read_mask(save(path, labels)).labels, labels)


def test_sixteen_bit_greys_are_ids(path):
    array = squares(1, 2).astype(np.uint16) * 300
    labels = read_mask(save(path, array)).labels
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, array)


@pytest.mark.parametrize("array", [squares(255), squares(1), squares(1).astype(bool)])
def test_a_binary_mask_is_object_one(path, array):
    np.testing.assert_array_equal(read_mask(save(path, array)).labels, squares(1))
    np.testing.assert_array_equal(read_mask(array).labels, squares(1))


def test_a_white_rgb_mask_is_object_one(path):
    array = np.repeat(squares(255)[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_mask(save(path, array)).labels, squares(1))


def test_a_binary_palette_mask_is_object_one(path):
    write_label_png(path, squares(255))
    np.testing.assert_array_equal(read_mask(path).labels, squares(1))


def test_255_beside_other_ids_is_void_in_the_palette_of_davis(path):
    write_label_png(path, squares(2, 255))
    masks = read_masks(path)
    np.testing.assert_array_equal(masks.labels[0], squares(2, 0))
    assert "255 is void" in masks.doubts[0] and "36 pixels" in masks.doubts[0]


def test_255_beside_other_numbers_is_refused_where_no_palette_tells(path):
    with pytest.raises(InputError, match="mask.png holds 255 beside ids as low as 2.*void or an"):
        read_mask(save(path, squares(2, 255)))


@pytest.mark.parametrize("write", [save, write_label_png])
def test_255_beside_other_paints_is_an_object(path, write):
    write(path, squares(127, 255))
    masks = read_masks(path)
    np.testing.assert_array_equal(masks.labels[0], squares(127, 255))
    assert "255 is an object" in masks.doubts[0]


def test_255_is_an_id_where_ids_are_larger():
    array = squares(1, 255).astype(np.uint16)
    array[15:] = 300
    np.testing.assert_array_equal(read_mask(array).labels, array)


def test_davis_colours_take_their_palette_ids(path):
    labels, palette = read_mask(save(path, DAVIS[squares(2, 1, 9)]))
    np.testing.assert_array_equal(labels, squares(2, 1, 9))
    np.testing.assert_array_equal(palette, DAVIS)


def test_other_colours_take_ids_in_sorted_order(path):
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
    labels, palette = read_mask(save(path, colours[squares(1, 2, 3)]))
    np.testing.assert_array_equal(labels, squares(3, 2, 1))
    assert palette[:4].tolist() == [[0, 0, 0], [0, 0, 255], [0, 255, 0], [255, 0, 0]]


def test_an_rgb_copy_of_grey_ids_keeps_them(path):
    array = np.repeat(squares(2, 5)[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_mask(save(path, array)).labels, squares(2, 5))


def test_transparent_pixels_are_background(path):
    array = np.zeros((*SIZE, 4), np.uint8)
    array[...] = (200, 10, 10, 0)
    array[squares(1) > 0, 3] = 255
    np.testing.assert_array_equal(read_mask(save(path, array)).labels, squares(1))


def test_arrays_of_colours_are_read_as_files_are():
    np.testing.assert_array_equal(read_mask(DAVIS[squares(4)]).labels, squares(4))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_npy_holds_ids(tmp_path, dtype):
    np.save(tmp_path / "m.npy", squares(3, 4).astype(dtype))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy").labels, squares(3, 4))


def test_wide_integers_hold_as_many_ids_as_they_like():
    array = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE)
    np.testing.assert_array_equal(read_mask(array).labels, array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(SIZE, np.float32),
        np.zeros((1, *SIZE), np.uint8),
        np.zeros((*SIZE, 2), np.uint8),
        np.zeros((*SIZE, 3), np.int32),
        np.zeros(5, np.uint8),
        np.zeros((0, 5), np.uint8),
        np.full(SIZE, -1),
        np.full(SIZE, 70000),
    ],
)
def test_arrays_of_wrong_type_or_shape_are_refused(tmp_path, array):
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match="m.npy.*expected"):
        read_mask(tmp_path / "m.npy")


def test_a_pickled_npy_is_refused(tmp_path):
    np.save(tmp_path / "m.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError, match="m.npy cannot be read"):
        read_mask(tmp_path / "m.npy")


def disc(colour):
    """An anti-aliased disc, as drawing programs make it."""
    large = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(large, (200, 200), 120, colour, -1)
    return cv2.resize(large, (40, 40), interpolation=cv2.INTER_AREA)


SMOOTH = {
    "white disc": disc((255, 255, 255))[..., 0],
    "dark disc": disc((128, 0, 0)),
    "colour disc": disc((250, 120, 30)),
    "enlarged twice": cv2.resize(squares(255), None, fx=2, fy=2),
    "enlarged four times": cv2.resize(DAVIS[squares(1, 2)], None, fx=4, fy=4),
    "halved": cv2.resize(squares(255, size=(41, 61)), (30, 20), interpolation=cv2.INTER_AREA),
    "blurred": cv2.GaussianBlur(squares(255), (3, 3), 0),
    "one grey edge": np.maximum(squares(255), cv2.dilate(squares(255), np.ones((3, 3))) // 2),
    "noise": np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smoothed_masks_are_refused_with_the_remedy(path, name):
    with pytest.raises(InputError, match="anti-aliased.*nearest"):
        read_mask(save(path, SMOOTH[name]))


def test_a_jpeg_of_a_mask_is_refused(tmp_path):
    with pytest.raises(InputError, match="stored with loss"):
        read_mask(save(tmp_path / "m.jpg", DAVIS[squares(1, 2, 3)]))


def test_smooth_transparency_is_refused(path):
    array = np.full((40, 40, 4), 255, np.uint8)
    array[..., 3] = disc((255, 255, 255))[..., 0]
    with pytest.raises(InputError, match="degrees of transparency"):
        read_mask(save(path, array))


def test_a_wrong_size_names_both_sizes(path):
    write_label_png(path, squares(1))
    with pytest.raises(InputError, match="30x20, the video is 60x40 .*nearest"):
        read_mask(path, size=(40, 60))


def test_a_mask_without_objects_is_refused(path):
    write_label_png(path, squares())
    with pytest.raises(InputError, match="no object"):
        read_mask(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_image_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match="mask.png cannot be read"):
        read_mask(path)


def test_a_truncated_mask_is_refused(path):
    save(path, np.random.default_rng(0).integers(0, 9, (50, 50), np.uint8))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="mask.png cannot be read"):
        read_mask(path)


def test_a_missing_mask_is_named(path):
    with pytest.raises(InputError, match="mask.png is no file"):
        read_mask(path)


def frames_of(masks):
    return {frame: sorted(set(np.unique(m).tolist()) - {0}) for frame, m in masks.labels.items()}


@pytest.fixture
def folder(tmp_path):
    for name, ids in (("00000", [1]), ("00005", []), ("00010", [1, 4])):
        write_label_png(tmp_path / f"{name}.png", squares(*ids))
    (tmp_path / "notes.txt").write_text("no mask")
    return tmp_path


NAMES = tuple(f"{i:05d}" for i in range(0, 20, 5))


def test_one_mask_is_for_the_first_frame(folder):
    assert frames_of(read_masks(folder / "00010.png", NAMES)) == {0: [1, 4]}
    assert frames_of(read_masks([folder / "00010.png"], NAMES)) == {0: [1, 4]}
    assert frames_of(read_masks(squares(2))) == {0: [2]}


def test_a_folder_is_matched_by_frame_names_and_empty_masks_say_nothing(folder):
    assert frames_of(read_masks(folder, NAMES, size=SIZE)) == {0: [1], 2: [1, 4]}


def test_a_folder_is_matched_by_numbers_where_frames_have_no_names(folder):
    assert frames_of(read_masks(folder, count=11)) == {0: [1], 10: [1, 4]}


def test_pairs_take_numbers_or_names(folder):
    pairs = [f"3={folder}/00000.png", f"00005={folder}/00010.png"]
    assert frames_of(read_masks(pairs, NAMES)) == {1: [1, 4], 3: [1]}
    assert frames_of(read_masks(pairs[0], NAMES)) == {3: [1]}


def test_a_dict_takes_arrays_and_paths(folder):
    spec = {7: squares(6), 2: folder / "00000.png"}
    assert frames_of(read_masks(spec)) == {2: [1], 7: [6]}


@pytest.mark.parametrize("frame", ["4", "-1", "x"])
def test_a_frame_outside_of_the_video_is_refused(folder, frame):
    with pytest.raises(InputError, match="its number, 0 to 3"):
        read_masks([f"{frame}={folder}/00000.png", f"0={folder}/00000.png"], NAMES)


def test_a_number_in_a_dict_or_folder_is_checked_too(folder):
    with pytest.raises(InputError, match="frame 9 is outside"):
        read_masks({9: squares(1)}, count=9)
    with pytest.raises(InputError, match="00010.png.*outside"):
        read_masks(folder, count=9)


def test_a_mask_that_matches_no_frame_is_named(folder):
    with pytest.raises(InputError, match="00010.png matches no frame.* 00000 to 00005"):
        read_masks(folder, NAMES[:2])


def test_two_masks_for_a_frame_are_refused(folder):
    with pytest.raises(InputError, match="two masks for frame 0"):
        read_masks([f"0={folder}/00000.png", f"00000={folder}/00010.png"], NAMES)


def test_a_list_without_frames_is_explained(folder):
    with pytest.raises(InputError, match="FRAME=FILE"):
        read_masks([str(folder / "00000.png"), str(folder / "00010.png")])


@pytest.mark.parametrize("spec", [{}, []])
def test_no_mask_at_all_is_refused(spec):
    with pytest.raises(InputError, match="no mask was given"):
        read_masks(spec)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no mask"):
        read_masks(tmp_path)


def test_masks_without_any_object_are_refused():
    with pytest.raises(InputError, match="no object in 2 mask"):
        read_masks({0: squares(), 5: squares()})


def test_a_later_mask_of_wrong_size_is_refused():
    with pytest.raises(InputError, match="60x40"):
        read_masks({0: squares(1), 5: np.ones((40, 60), np.uint8)}, size=SIZE)


def test_a_colour_keeps_its_id_over_the_masks_of_a_video():
    red, green, blue = np.uint8([255, 0, 0]), np.uint8([0, 255, 0]), np.uint8([0, 0, 255])
    one, two = np.zeros((2, *SIZE, 3), np.uint8)
    one[squares(1) > 0], two[squares(1) > 0] = red, red
    two[squares(0, 1) > 0], two[squares(0, 0, 1) > 0] = green, blue
    masks = read_masks({0: one, 4: two}).labels
    np.testing.assert_array_equal(masks[0], squares(3))
    np.testing.assert_array_equal(masks[4], squares(3, 2, 1))


def test_davis_ids_hold_only_when_all_colours_of_the_video_are_davis():
    masks = read_masks({0: DAVIS[squares(5)], 1: DAVIS[squares(5, 2)]}).labels
    assert np.unique(masks[0]).tolist() == [0, 5]


def test_void_in_one_mask_is_void_in_all(tmp_path):
    for frame, ids in ((0, (1, 255)), (3, (255,)), (6, (1,))):
        write_label_png(tmp_path / f"{frame}.png", squares(*ids))
    assert sorted(read_masks(tmp_path).labels) == [0, 6]


def test_binary_masks_of_one_video_are_one_object():
    masks = read_masks({0: squares(255), 3: squares(0, 255), 6: squares(1)})
    assert frames_of(masks) == {0: [1], 3: [1], 6: [1]}
