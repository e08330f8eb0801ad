"""COCO and LabelMe files: shapes become pixels as the field's own tools draw them."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks import read_mask, read_masks, shapes

SIZE = (14, 20)
BOX = [[2, 3, 8, 3, 8, 9, 2, 9]]  # columns 2 to 7, rows 3 to 8
FAR_BOX = [[12, 3, 16, 3, 16, 9, 12, 9]]


def box(value=1, x=slice(2, 8), y=slice(3, 9)):
    labels = np.zeros(SIZE, np.uint8)
    labels[y, x] = value
    return labels


@pytest.fixture
def write(tmp_path):
    def save(content, name="m.json"):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return save


def coco(*annotations, images=("a.jpg",), **more):
    """A COCO file; annotations without image_id are of the first image."""
    return {
        "images": [
            {"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for i, name in enumerate(images)
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "person"}],
        "annotations": [{"id": i, "image_id": 0, **a} for i, a in enumerate(annotations)],
        **more,
    }


def labelme(*records, path="a.jpg", **more):
    size = {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    return {"shapes": list(records), "imagePath": path, **size, **more}


def shape(points, label="dog", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": "polygon", **more}


# Shapes

# What pycocotools makes of polygons in 20x14 pixels.
POLYGONS = {
    "\\12<3M3M001O000010O0001ON2M3MZ1": [2.5, 1.5, 17.2, 3.1, 14.0, 12.9, 5.5, 10.25],
    "0863N2M01O001O001O0000O10000000000O10000": [-3, -2, 9, 4, 33.7, -1, 20, 25, 4.4, 19.6],
    "m0190J140L040L120N011O00001N0260JN02O000O11OO20NO40L040LO60S1": [1, 1, 18, 1, 1, 12, 18, 12],
    "h8": [5.5, 5.5, 5.9, 5.5, 5.7, 5.9],
    "0h8": [0, 0, 20, 0, 20, 14, 0, 14],
}


@pytest.mark.parametrize("runs", POLYGONS)
def test_polygons_are_filled_as_coco_fills_them(runs):
    filled = shapes.fill_polygon(shapes.points(POLYGONS[runs]), SIZE)
    np.testing.assert_array_equal(filled, shapes.expand_runs(runs, SIZE))


@given(st.lists(st.tuples(st.floats(-9, 40), st.floats(-9, 30)), min_size=3, max_size=9))
@settings(max_examples=200, deadline=None)
def test_any_polygon_is_filled_as_pycocotools_fills_it(points):
    coco_mask = pytest.importorskip("pycocotools.mask")
    flat = [number for point in points for number in point]
    theirs = coco_mask.decode(coco_mask.frPyObjects([flat], *SIZE))[..., 0]
    np.testing.assert_array_equal(shapes.fill_polygon(shapes.points(flat), SIZE), theirs)


def test_a_polygon_along_pixels_edges_holds_the_pixels_inside():
    np.testing.assert_array_equal(shapes.fill_polygon(shapes.points(BOX[0]), SIZE), box() > 0)


def compressed(runs):
    """COCO's string of run lengths, written down from its definition."""
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            group, value = value & 31, value >> 5
            more = value not in (0, -1) or (group & 16 > 0) != (value == -1)
            text += chr(48 + group + 32 * more)
    return text


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=30)))
@settings(max_examples=100, deadline=None)
def test_run_lengths_come_back_as_the_mask_they_were_made_of(mask):
    flat = mask.T.reshape(-1)
    starts = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *starts, len(flat)]).tolist()
    runs = [0, *runs] if flat[0] else runs
    np.testing.assert_array_equal(shapes.expand_runs(runs, mask.shape), mask)
    np.testing.assert_array_equal(shapes.expand_runs(compressed(runs), mask.shape), mask)


@pytest.mark.parametrize(
    "counts", [[1, 2, 3], [-1, 281], [280.0], ["280"], "h", "~~~", "P" * 99, None, 5, [10**30]]
)
def test_damaged_run_lengths_are_an_error(counts, write):
    record = {"segmentation": {"size": list(SIZE), "counts": counts}}
    with pytest.raises(InputError, match="m.json: annotation 1 .object.: "):
        read_mask(write(coco(record)))


# COCO


def test_objects_are_numbered_in_the_order_of_the_file(write):
    runs = {"size": list(SIZE), "counts": [171, 6, 8, 6, 8, 6, 75]}
    file = write(
        coco({"segmentation": BOX, "category_id": 2}, {"segmentation": runs, "category_id": 1})
    )
    masks = read_masks(file, size=SIZE)
    np.testing.assert_array_equal(masks.labels[0], box() + box(2, x=slice(12, 15), y=slice(3, 9)))
    assert masks.notes[0].endswith("m.json, COCO annotations")
    assert masks.notes[1] == "id 1 is person, id 2 is dog"


def test_the_later_object_is_in_front_and_that_is_said(write):
    masks = read_masks(write(coco({"segmentation": BOX}, {"segmentation": BOX})))
    np.testing.assert_array_equal(masks.labels[0], box(2))
    assert any("36 pixels lie in two objects" in doubt for doubt in masks.doubts)


def test_parts_and_tracks_are_one_object(write):
    parts = read_mask(write(coco({"segmentation": BOX + FAR_BOX}))).labels
    tracks = coco(
        {"segmentation": BOX, "track_id": 7},
        {"segmentation": FAR_BOX, "attributes": {"track_id": 7}},
    )
    np.testing.assert_array_equal(parts, box() + box(x=slice(12, 16)))
    np.testing.assert_array_equal(read_mask(write(tracks)).labels, parts)


def test_a_bare_list_of_annotations_is_one_image(write):
    file = write([{"segmentation": BOX}, {"segmentation": FAR_BOX, "image_id": 3}][:1])
    np.testing.assert_array_equal(read_masks(file, size=SIZE).labels[0], box())
    with pytest.raises(InputError, match="does not say how large"):
        read_masks(file)


def test_images_are_matched_to_frames_by_their_names(write):
    file = write(
        coco(
            {"segmentation": BOX, "image_id": 1, "track_id": 5, "category_id": 1},
            {"segmentation": FAR_BOX, "image_id": 0, "track_id": 5, "category_id": 1},
            {"segmentation": BOX, "image_id": 0, "track_id": 6, "category_id": 1},
            images=("clip/f2.jpg", "clip\\f7.jpg"),
        )
    )
    masks = read_masks(file, ("f1", "f2", "f3", "f7"))
    assert sorted(masks.labels) == [1, 3]
    assert masks.labels[1][4, 13] == masks.labels[3][4, 4] != masks.labels[1][4, 4]
    with pytest.raises(InputError, match="clip.f7.jpg matches no frame"):
        read_masks(file, ("f1", "f2", "f3"))


def test_the_only_object_of_a_label_is_the_same_in_all_images(write):
    file = write(
        coco(
            {"segmentation": BOX, "image_id": 0, "category_id": 2},
            {"segmentation": FAR_BOX, "image_id": 1, "category_id": 1},
            {"segmentation": BOX, "image_id": 1, "category_id": 2},
            images=("0.jpg", "1.jpg"),
        )
    )
    masks = read_masks(file, count=2)
    assert masks.labels[0][4, 4] == masks.labels[1][4, 4] == 1 and masks.labels[1][4, 13] == 2


def test_two_objects_of_a_label_in_several_images_need_tracks(write):
    file = write(
        coco(
            {"segmentation": BOX, "image_id": 0, "category_id": 2},
            {"segmentation": FAR_BOX, "image_id": 0, "category_id": 2},
            {"segmentation": BOX, "image_id": 1, "category_id": 2},
            images=("0.jpg", "1.jpg"),
        )
    )
    with pytest.raises(InputError, match="two objects person.*track_id"):
        read_masks(file, count=2)


def test_a_lone_image_of_another_name_is_the_first_frame_and_that_is_said(write):
    file = write(coco({"segmentation": BOX}, images=("cut.png",)))
    masks = read_masks(file, ("f1", "f2"))
    assert list(masks.labels) == [0] and "cut.png, which is no frame's name" in masks.doubts[0]
    masks = read_masks(f"f2={file}", ("f1", "f2"))
    assert list(masks.labels) == [1]


def test_a_frame_chooses_its_image(write):
    records = [{"segmentation": BOX, "image_id": i, "track_id": 1} for i in (0, 1)]
    file = write(coco(*records, images=("f1.jpg", "f2.jpg")))
    assert list(read_masks(f"f2={file}", ("f1", "f2")).labels) == [1]


@pytest.mark.parametrize(
    "content, words",
    [
        (coco({"segmentation": []}), "annotation 1 .object.: it has no polygon"),
        (coco({"bbox": [1, 2, 3, 4]}), "it has no polygon"),
        (coco({"segmentation": [[1, 2, 3]]}), "no pairs of numbers"),
        (coco({"segmentation": [[1, 2, 3, 4, 5, "6"]]}), "no pairs of numbers"),
        (coco({"segmentation": [[1, 2, 3, 4, 5, 10**400]]}), "annotation 1 .object.: "),
        (coco({"segmentation": [[0, 0, 1e300, 4, 5, 6]]}), "far outside"),
        (coco({"segmentation": [[0, 0, 9e5, 4] * 99]}), "far outside"),
        (coco({"segmentation": {"size": [2, 2], "counts": [4]}}), r"for \[2, 2\], not \[14, 20\]"),
        (coco({"segmentation": BOX, "image_id": 8}, images=("a", "b")), "image 8, which is not"),
        (coco({"segmentation": BOX, "image_id": [8]}), "its image_id is list"),
        (coco(), "no annotation"),
        (coco({"segmentation": BOX}, images=[]) | {"images": 5}, "its images is int"),
        (coco({"segmentation": BOX}) | {"annotations": [5]}, "no list of objects"),
        ({"annotations": {}}, "its annotations is dict"),
        ({"videos": []}, "neither COCO .annotations. nor LabelMe"),
        ([5], "no list of objects"),
        ([], "no annotation"),
        ("{", "no JSON"),
        ("[" * 100000, "no JSON"),
        ('{"annotations": [' + "9" * 5000 + "]}", "no JSON"),
    ],
)
def test_damaged_annotations_are_one_line(write, content, words):
    with pytest.raises(InputError, match=words) as caught:
        read_masks(write(content), size=SIZE)
    assert "m.json" in str(caught.value) and str(caught.value).isprintable()


def test_annotations_of_another_size_are_refused(write):
    with pytest.raises(InputError, match="m.json is 20x14, the video is 40x28"):
        read_masks(write(coco({"segmentation": BOX})), size=(28, 40))
    huge = coco({"segmentation": BOX})
    huge["images"][0].update(height=10**9, width=10**9)
    with pytest.raises(InputError, match="no image is of that size"):
        read_masks(write(huge))


def test_an_object_without_a_pixel_is_said(write):
    tiny = [[5.5, 5.5, 5.9, 5.5, 5.7, 5.9]]
    masks = read_masks(write(coco({"segmentation": tiny, "category_id": 1}, {"segmentation": BOX})))
    np.testing.assert_array_equal(masks.labels[0], box())
    assert any("annotation 1 (dog) has no pixel" in doubt for doubt in masks.doubts)


# LabelMe


def png(mask):
    out = io.BytesIO()
    Image.fromarray(mask).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_every_shape_with_an_area_is_read(write):
    file = write(
        labelme(
            shape([[2, 3], [8, 3], [8, 9], [2, 9]]),
            shape([[16, 9], [12, 3]], shape_type="rectangle"),
            shape([[10, 11], [10, 13]], shape_type="circle"),
            shape([[18, 1], [19, 2]], shape_type="mask", mask=png(np.eye(2, dtype=bool))),
        )
    )
    labels = read_mask(file, size=SIZE).labels
    np.testing.assert_array_equal(labels == 1, box() > 0)
    np.testing.assert_array_equal(labels == 2, box(x=slice(12, 16)) > 0)
    assert np.count_nonzero(labels == 3) == 12  # pixels whose centre is within 2 of a corner
    assert np.argwhere(labels == 4).tolist() == [[1, 18], [2, 19]]


def test_shapes_of_one_label_and_group_are_one_object(write):
    corners = [[12, 3], [16, 9]]
    file = write(
        labelme(
            shape([[2, 3], [8, 9]], shape_type="rectangle", group_id=1),
            shape(corners, shape_type="rectangle", group_id=1),
            shape([[0, 12], [3, 14]], shape_type="rectangle", label="cat"),
        )
    )
    masks = read_masks(file)
    assert masks.labels[0][4, 4] == masks.labels[0][4, 13] == 1
    assert masks.notes[1] == "id 1 is dog (1), id 2 is cat"


def test_a_folder_of_annotations_beside_their_pictures(write, tmp_path):
    for name, label, corners in (
        ("f1", "dog", [[2, 3], [8, 9]]),
        ("f3", "cat", [[2, 3], [8, 9]]),
    ):
        other = shape([[12, 3], [16, 9]], shape_type="rectangle", label="pole")
        first = shape(corners, shape_type="rectangle", label=label)
        write(labelme(first, other, path=f"..\\x\\{name}.jpg"), f"{name}.json")
        Image.fromarray(box()).save(tmp_path / f"{name}.jpg")
    masks = read_masks(tmp_path, ("f1", "f2", "f3"))
    assert sorted(masks.labels) == [0, 2]
    assert masks.labels[0][4, 13] == masks.labels[2][4, 13] == 2
    assert (masks.labels[0][4, 4], masks.labels[2][4, 4]) == (1, 3)
    assert "left out: f1.jpg, f3.jpg" in masks.doubts[0]


@pytest.mark.parametrize(
    "record, words",
    [
        (shape([[1, 1]], shape_type="point"), "a point marks no area: polygon"),
        (shape([[1, 1], [5, 5]], shape_type="linestrip"), "a linestrip marks no area"),
        (shape([[1, 1]], shape_type="circle"), "a circle of 1 point.s. marks no area"),
        (shape([1, 2]), "shape 1 .dog."),
        (shape([[0, 0]], shape_type="mask", mask="@@"), "shape 1 .dog."),
        (shape([[0, 0]], shape_type="mask", mask=png(np.zeros((2, 2, 3), np.uint8))), "colours"),
        (shape([[0, 0]], shape_type=5), "its shape_type is int"),
        (shape([[5, 5], [5, 5]]), "a polygon of 2 point.s. marks no area"),
        (shape([], shape_type="mask"), "a mask of 0 point.s. marks no area"),
        (shape(5), "shape 1 .dog."),
    ],
)
def test_shapes_without_an_area_are_one_line(write, record, words):
    with pytest.raises(InputError, match=f"m.json.*{words}") as caught:
        read_masks(write(labelme(record)))
    assert str(caught.value).isprintable()


def test_annotations_and_numbered_masks_do_not_go_together(write):
    file = write(labelme(shape([[2, 3], [8, 9]], shape_type="rectangle")))
    with pytest.raises(InputError, match="LabelMe shapes and the mask of frame 3 is an array"):
        read_masks({0: file, 3: box()})


@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    "images annotations categories shapes id image_id category_id segmentation "
                    "counts size points label group_id shape_type height width mask".split()
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=30,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(data))
    try:
        read_masks(file, size=SIZE)
    except InputError as error:
        assert str(error).isprintable()
