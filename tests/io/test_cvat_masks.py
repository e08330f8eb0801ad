"""CVAT's XML, YouTube-VIS' JSON, ZIP files of tools, and masks with the names of their objects."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks import read_marks, read_mask, read_masks, runs

SIZE = (14, 20)
NAMES = ("a", "b", "c")
POLYGON = '<polygon label="dog" points="2,3;8,3;8,9;2,9" {}/>'
BOX = '<box label="dog" xtl="2" ytl="3" xbr="8" ybr="9" {}/>'
FAR = '<box label="{}" xtl="12" ytl="3" xbr="16" ybr="9" {}/>'


def box(value=1, x=slice(2, 8), y=slice(3, 9)):
    labels = np.zeros(SIZE, np.uint8)
    labels[y, x] = value
    return labels


def far(value=1):
    return box(value, slice(12, 16))


def image(*shapes, name="a.png", id=0, size='width="20" height="14"'):
    return f'<image id="{id}" name="{name}" {size}>{"".join(shapes)}</image>'


def track(*shapes, id=0, label="dog"):
    return f'<track id="{id}" label="{label}">{"".join(shapes)}</track>'


def cvat(*parts, meta=""):
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{meta}{"".join(parts)}'
    return (text + "</annotations>").encode()


VIDEO = (
    "<meta><task><original_size><width>20</width><height>14</height></original_size></task></meta>"
)


def rows(mask):
    """Run lengths of CVAT's masks, along rows, as its own client makes them."""
    flat, counts = mask.reshape(-1).tolist(), []
    for index, value in enumerate(flat):
        if index and flat[index - 1] == value:
            counts[-1] += 1
        else:
            counts += [0, 1] if not index and value else [1]
    return ", ".join(map(str, counts))


# CVAT


@pytest.mark.parametrize(
    "shape",
    [POLYGON, BOX, '<mask label="dog" rle="0, 36" left="2" top="3" width="6" height="6" {}/>'],
)
def test_shapes_that_mark_an_area_are_filled(shape):
    labels, names, *_ = read_marks(cvat(image(shape.format(""))), frames=NAMES, size=SIZE)
    np.testing.assert_array_equal(labels[0], box())
    assert names == {1: "dog"}


def test_run_lengths_of_a_mask_go_along_rows_of_its_box():
    part = np.random.default_rng(0).random((5, 7)) > 0.5
    for mask in (part, ~part):
        text = f'<mask label="dog" rle="{rows(mask)}" left="4" top="6" width="7" height="5"/>'
        expected = np.zeros(SIZE, np.uint8)
        expected[6:11, 4:11] = mask
        np.testing.assert_array_equal(read_mask(cvat(image(text))).labels, expected)


def test_an_ellipse_has_the_pixels_whose_centres_lie_in_it():
    text = '<ellipse label="dog" cx="10" cy="7" rx="6" ry="3"/>'
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    expected = ((xs - 10) / 6) ** 2 + ((ys - 7) / 3) ** 2 <= 1
    np.testing.assert_array_equal(read_mask(cvat(image(text))).labels, expected)
    turned = text.replace("/>", ' rotation="90"/>')
    upright = text.replace('rx="6" ry="3"', 'rx="3" ry="6"')
    np.testing.assert_array_equal(
        read_mask(cvat(image(turned))).labels, read_mask(cvat(image(upright))).labels
    )


def test_a_box_is_turned_clockwise_around_its_middle():
    turned = '<box label="dog" xtl="2" ytl="5" xbr="8" ybr="7" rotation="90"/>'
    expected = box(x=slice(4, 6), y=slice(3, 9))
    np.testing.assert_array_equal(read_mask(cvat(image(turned))).labels, expected)
    slanted = read_mask(cvat(image(turned.replace("90", "45")))).labels
    ys, xs = np.nonzero(slanted)
    assert np.corrcoef(xs, ys)[0, 1] > 0.8  # down to the right, as y runs downwards


def test_images_are_found_by_name_or_else_by_id():
    parts = (
        image(BOX.format(""), name="sub/c.jpg", id=0),
        image(FAR.format("dog", ""), name="x", id=1),
    )
    labels = read_masks(cvat(*parts), NAMES, size=SIZE).labels
    assert set(labels) == {1, 2}
    np.testing.assert_array_equal(labels[2], box())
    labels = read_masks(cvat(*parts), size=SIZE).labels  # frames without names
    assert set(labels) == {0, 1}


def test_later_shapes_and_those_of_a_higher_order_are_in_front():
    over = FAR.format("cat", "").replace('xtl="12"', 'xtl="6"')
    labels = read_mask(cvat(image(BOX.format(""), over))).labels
    assert labels[4, 7] == labels[4, 10] == 2
    labels = read_mask(cvat(image(BOX.format('z_order="1"'), over))).labels
    assert labels[4, 7] != labels[4, 10]
    doubts = read_masks(cvat(image(BOX.format(""), over))).doubts
    assert any("pixels lie in two objects, the later one has them" in doubt for doubt in doubts)


def test_tracks_are_objects_over_all_frames():
    file = cvat(
        track(BOX.format('frame="0" outside="0"'), FAR.format("", 'frame="2" outside="0"')),
        track(
            FAR.format("", 'frame="0" outside="0"'),
            FAR.format("", 'frame="1" outside="0"'),
            FAR.format("", 'frame="2" outside="1"'),
            id=1,
        ),
        meta=VIDEO,
    )
    labels, names, *_ = read_marks(file, frames=3, size=SIZE)
    np.testing.assert_array_equal(labels[0], box(1) + far(2))
    np.testing.assert_array_equal(labels[1], far(2))
    np.testing.assert_array_equal(labels[2], far(1))
    assert names == {1: "dog", 2: "dog"}


@pytest.mark.parametrize("where", ["", "<job>", "<task>"])
def test_the_size_of_a_video_is_wherever_cvat_writes_it(where):
    size = "<original_size><width>20</width><height>15</height></original_size>"
    close = where.replace("<", "</")
    file = cvat(track(BOX.format('frame="0"')), meta=f"<meta>{where}{size}{close}</meta>")
    with pytest.raises(InputError, match="is 20x15, the video is 20x14"):
        read_masks(file, size=SIZE)


@pytest.mark.parametrize(
    "mark", ['group_id="4"/>', '><attribute name="track_id">4</attribute></box>']
)
def test_groups_and_track_attributes_are_one_object(mark):
    shapes = [BOX.format("").replace("/>", mark), FAR.format("dog", "").replace("/>", mark)]
    file = cvat(image(shapes[0]), image(shapes[1], name="b.png", id=1))
    labels = read_masks(file, NAMES, size=SIZE).labels
    np.testing.assert_array_equal(labels[0], box())
    np.testing.assert_array_equal(labels[1], far())


def test_tracks_of_one_group_are_one_object():
    """CVAT for video has a track of one frame for each shape that is of no track."""
    first = track(BOX.format('frame="0"'), BOX.format('frame="1" outside="1"'))
    second = track(FAR.format("", 'frame="2"'), id=1)
    grouped = cvat(*(text.replace("<track", '<track group_id="3"') for text in (first, second)))
    labels = read_marks(grouped, frames=3, size=SIZE).labels
    assert set(labels) == {0, 2} and labels[2].max() == 1
    assert read_marks(cvat(first, second), frames=3, size=SIZE).labels[2].max() == 2


def test_two_alike_in_several_images_need_a_track():
    alike = BOX.format(""), FAR.format("dog", "")
    with pytest.raises(InputError, match="two objects dog, .* tracks .CVAT."):
        read_masks(cvat(image(*alike), image(*alike, name="b.png", id=1)), NAMES, size=SIZE)


def test_tags_and_unknown_elements_are_passed_over():
    labels = read_mask(cvat(image('<tag label="night"/>', "<new/>", BOX.format("")))).labels
    np.testing.assert_array_equal(labels, box())


DOCTYPE = b"<!DOCTYPE x [<!ENTITY a %s>]><annotations>&a;</annotations>"
DAMAGED = {
    "no shape": cvat(image()),
    "two points": cvat(image('<polygon label="a" points="1,1;2,2"/>')),
    "no numbers": cvat(image('<polygon label="a" points="a,b;c,d;e,f"/>')),
    "no pairs": cvat(image('<polygon label="a" points="1,2,3;4,5,6;7,8,9"/>')),
    "not finite": cvat(image(BOX.format("").replace('"2"', '"nan"'))),
    "infinite": cvat(image(BOX.format("").replace('"2"', '"-inf"'))),
    "far away": cvat(image(BOX.format("").replace('"2"', '"-1e300"'))),
    "no corner": cvat(image('<box label="a" xtl="1"/>')),
    "polyline": cvat(image('<polyline label="a" points="1,1;2,2"/>')),
    "skeleton": cvat(image('<skeleton label="a"/>')),
    "flat ellipse": cvat(image('<ellipse label="a" cx="1" cy="1" rx="0" ry="1"/>')),
    "mask too short": cvat(
        image('<mask label="a" rle="3" left="0" top="0" width="2" height="2"/>')
    ),
    "mask negative": cvat(
        image('<mask label="a" rle="-1, 5" left="0" top="0" width="2" height="2"/>')
    ),
    "mask too large": cvat(
        image('<mask label="a" rle="0, 1" left="0" top="0" width="99999999999" height="9999999"/>')
    ),
    "mask outside": cvat(
        image('<mask label="a" rle="0, 4" left="19" top="0" width="2" height="2"/>')
    ),
    "order": cvat(image(BOX.format('z_order="up"'))),
    "no frame": cvat(track(BOX.format("")), meta=VIDEO),
    "far frame": cvat(track(BOX.format('frame="9"')), meta=VIDEO),
    "huge frame": cvat(track(BOX.format(f'frame="{"9" * 40}"')), meta=VIDEO),
    "size": cvat(image(BOX.format(""), size='width="21" height="14"')),
    "no image": cvat('<image width="20" height="14"><box/></image>'),
    "other root": b"<?xml version='1.0'?><annotation><object/></annotation>",
    "cut": cvat(image(BOX.format("")))[:-20],
    "not UTF-8": "<annotations>\xe9</annotations>".encode("latin-1"),
    "UTF-16": "<annotations/>".encode("utf-16"),
    "deep": b"<annotations>" + b"<a>" * 100_000,
    "laughs": DOCTYPE % b'"aaaa"><!ENTITY b "&a;&a;"',
    "outside entity": DOCTYPE % b'SYSTEM "file:///etc/passwd"',
    "undefined entity": b"<annotations>&a;</annotations>",
    "null": b"<annotations>\0</annotations>",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_or_marks_no_area_is_refused_in_one_line(name):
    with pytest.raises(InputError) as error:
        read_marks(DAMAGED[name], frames=NAMES, size=SIZE)
    assert "\n" not in str(error.value) and "the mask" in str(error.value)


# YouTube-VIS and COCO by index


def track_of(masks, **more):
    segmentations = [None if mask is None else runs.encode(mask > 0) for mask in masks]
    return {"id": 7, "video_id": 3, "category_id": 1, "segmentations": segmentations, **more}


def youtube_vis(*tracks, **more):
    content = {
        "videos": [
            {"id": 3, "height": 14, "width": 20, "file_names": [f"v/{name}.jpg" for name in NAMES]},
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": list(tracks),
    }
    return json.dumps(content | more).encode()


def test_tracks_of_youtube_vis_are_objects():
    file = youtube_vis(
        track_of([box(), None, far()]), track_of([None, box(), box()], id=8, category_id=2)
    )
    labels, names, *_ = read_marks(file, frames=NAMES, size=SIZE)
    np.testing.assert_array_equal(labels[0], box())
    np.testing.assert_array_equal(labels[1], box(2))
    np.testing.assert_array_equal(labels[2], far() + box(2))
    assert names == {1: "dog", 2: "cat"}


def test_frames_of_youtube_vis_are_found_by_file_name():
    labels = read_masks(youtube_vis(track_of([box(), far()])), ("b", "a"), size=SIZE).labels
    np.testing.assert_array_equal(labels[1], box())
    np.testing.assert_array_equal(labels[0], far())


@pytest.mark.parametrize(
    "content",
    [
        youtube_vis(track_of([None, None])),
        youtube_vis(track_of([box()]), track_of([box()], video_id=4)),
        youtube_vis(track_of([box()[:5]])),
        youtube_vis(track_of([box()], segmentations=7)),
        youtube_vis(track_of([box()], segmentations=[7])),
        youtube_vis(track_of([box()], segmentations=[{"size": [14, 20], "counts": [1]}])),
        youtube_vis(track_of([box()]), videos=[{"id": 3, "height": 9, "width": 9}]),
        youtube_vis(track_of([box()]), videos=[{"id": 3, "file_names": 5}]),
        youtube_vis(track_of([None] * 9 + [box()])),
    ],
)
def test_damaged_tracks_are_refused_in_one_line(content):
    with pytest.raises(InputError) as error:
        read_marks(content, frames=NAMES, size=SIZE)
    assert "\n" not in str(error.value)


def test_an_image_of_coco_is_found_by_its_index_where_its_name_is_no_frame_s():
    content = {
        "images": [{"id": 5, "file_name": "unknown.jpg", "height": 14, "width": 20, "frame_id": 2}],
        "annotations": [{"image_id": 5, "segmentation": runs.encode(box() > 0)}],
    }
    data = json.dumps(content).encode()
    assert set(read_masks(data, NAMES, size=SIZE).labels) == {2}
    assert set(read_masks(data, size=SIZE).labels) == {2}
    content["images"][0]["file_name"] = "b.jpg"
    assert set(read_masks(json.dumps(content).encode(), NAMES, size=SIZE).labels) == {1}


# ZIP files


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def png(labels):
    data = io.BytesIO()
    Image.fromarray(labels).save(data, "PNG")
    return data.getvalue()


def test_annotations_in_a_zip_are_read_beside_pictures():
    file = zipped(
        {"annotations.xml": cvat(image(BOX.format(""), name="b.png")), "images/b.png": b""}
    )
    np.testing.assert_array_equal(read_masks(file, NAMES, size=SIZE).labels[1], box())


def test_pictures_in_a_zip_are_for_the_frames_of_their_names():
    file = zipped({"masks/b.png": png(box()), "masks/c.png": png(far(2)), "__MACOSX/x.png": b""})
    labels = read_masks(file, NAMES, size=SIZE).labels
    assert set(labels) == {1, 2}
    np.testing.assert_array_equal(labels[2], far(2))


def test_numbered_pictures_in_a_zip_are_for_the_frames_of_these_numbers():
    for name in ("00002.png", "SegmentationObject/frame_000002.png"):
        labels = read_masks(zipped({name: png(box())}), size=SIZE, count=3).labels
        assert set(labels) == {2}


def test_of_cvat_s_segmentation_masks_the_instances_are_read():
    file = zipped(
        {
            "SegmentationClass/a.png": png(box(1) + far(1)),
            "SegmentationObject/a.png": png(box(1) + far(2)),
            "labelmap.txt": "dog:1,0,0::",
        }
    )
    np.testing.assert_array_equal(read_masks(file, NAMES, size=SIZE).labels[0], box(1) + far(2))


@pytest.mark.parametrize(
    "file, line",
    [
        (zipped({"001/a.png": png(box()), "002/a.png": png(far())}), "pictures in 2 folders"),
        (zipped({"a.txt": "nothing"}), "holds other files than masks .a.txt."),
        (zipped({"a.png": png(box())})[:-30], "the mask"),
        (zipped({"a.png": png(box()), "b.png": b"no picture"}), "b.png of the mask"),
        (zipped({"z.png": png(box()), "a.png": png(box())}), "matches no frame"),
        (zipped({"a.json": "{"}), "a.json of the mask"),
    ],
)
def test_other_archives_are_refused_in_one_line(file, line):
    with pytest.raises(InputError, match=line) as error:
        read_marks(file, frames=NAMES, size=SIZE)
    assert "\n" not in str(error.value)


def test_an_archive_that_claims_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    data = bytearray(zipped({"a.png": png(box())}))
    header = data.rindex(b"PK\x01\x02")
    data[header + 24 : header + 28] = (2**32 - 2).to_bytes(4, "little")  # the size when unpacked
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(InputError, match="more than 2147483648 bytes"):
        read_marks(bytes(data), frames=NAMES, size=SIZE)


# Marks


def test_a_mask_that_tells_no_frame_is_for_the_one_that_is_named():
    marks = read_marks(png(box(3)), frames=NAMES, size=SIZE, frame=2)
    assert set(marks.labels) == {2} and marks.names == {}
    assert marks.labels[2].dtype == np.uint8
    np.testing.assert_array_equal(marks.labels[2], box(3))


def test_a_file_that_tells_its_frames_is_for_these():
    file = cvat(image(BOX.format(""), name="b.png"))
    assert set(read_marks(file, frames=NAMES, size=SIZE, frame=2).labels) == {1}


def test_marks_are_read_from_files_too(tmp_path):
    (tmp_path / "m.xml").write_bytes(cvat(image(BOX.format(""))))
    labels, names, *_ = read_marks(tmp_path / "m.xml", frames=None, size=SIZE)
    np.testing.assert_array_equal(labels[0], box())
    assert names == {1: "dog"}


def test_another_size_is_refused():
    with pytest.raises(InputError, match="is 20x14, the video is 40x28"):
        read_marks(png(box()), frames=NAMES, size=(28, 40))


def test_more_than_255_objects_are_refused():
    labels = np.arange(280, dtype=np.int32).reshape(SIZE)
    data = io.BytesIO()
    np.save(data, labels)
    with pytest.raises(InputError, match="ids up to 279; at most 255 objects"):
        read_marks(data.getvalue(), frames=NAMES, size=SIZE)
    shapes = "".join(
        f'<box label="o{i}" xtl="{i % 20}" ytl="{i // 20}" xbr="{i % 20 + 1}" ybr="{i // 20 + 1}"/>'
        for i in range(256)
    )
    with pytest.raises(InputError, match="ids up to 256"):
        read_marks(cvat(image(shapes)), frames=NAMES, size=SIZE)


def test_a_folder_of_xml_files_has_a_mask_for_each_frame(tmp_path):
    (tmp_path / "a.xml").write_bytes(cvat(image(BOX.format(""), name="a.png")))
    (tmp_path / "c.xml").write_bytes(cvat(image(FAR.format("dog", ""), name="c.png")))
    labels = read_masks(tmp_path, NAMES, size=SIZE).labels
    assert set(labels) == {0, 2}
