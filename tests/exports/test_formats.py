"""Each format: what is written is read back, by this project's readers and by the field's own."""

import json
import subprocess
import sys
import tracemalloc

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from support.clips import clip
from support.command import write_frames

from vosjax.data import sets, types
from vosjax.data.samplers import aot
from vosjax.datasets import decode
from vosjax.datasets.folders import Folder, annotated
from vosjax.errors import InputError
from vosjax.exports import FORMATS, Object, write
from vosjax.exports.places import new_folder
from vosjax.io.masks import read_masks
from vosjax.io.video import open_video

FRAMES, LABELS = clip(frames=6, height=48, width=66, objects=2)
SIZE = (48, 66)
DOG = Object(1, "dog", (255, 80, 0))
CAT = Object(2, "cat", (0, 120, 255))
MASKS = {
    0: LABELS[0],
    1: np.where(LABELS[1] == 1, 1, 0).astype(np.uint8),  # the cat is absent
    2: np.zeros(SIZE, np.uint8),
    4: LABELS[4],
    5: np.where(LABELS[5] == 2, 2, 0).astype(np.uint8),
}


@pytest.fixture
def folder(tmp_path):
    """The frames as a folder of images with names."""
    return write_frames(tmp_path / "clip", FRAMES)


def exported(format, tmp_path, video=FRAMES, masks=MASKS, **more):
    path = tmp_path / FORMATS[format].default_name("clip")
    return write(format, path, video, masks, objects=[DOG, CAT], **more)


def check_back(path, video):
    """`--masks` reads an export as the masks that were exported, but for those without objects."""
    opened = open_video(video)
    back = read_masks(str(path), opened.names, size=SIZE, count=opened.count)
    assert set(back.labels) == {0, 1, 4, 5}
    for index, labels in back.labels.items():
        np.testing.assert_array_equal(labels, MASKS[index])
    return back


@pytest.mark.parametrize("format", ["palette", "coco", "youtube-vis", "youtube-vis-results"])
@pytest.mark.parametrize("named", [True, False])
def test_an_export_is_read_back_as_masks(format, named, tmp_path, folder):
    video = folder if named else FRAMES
    back = check_back(exported(format, tmp_path, video), video)
    if format in ("coco", "youtube-vis"):
        assert back.objects == {1: "dog", 2: "cat"}


# Palette


def test_palette_pngs_have_the_objects_colours(tmp_path, folder):
    path = exported("palette", tmp_path, folder)
    assert sorted(file.name for file in path.iterdir()) == [f"{i:05d}.png" for i in MASKS]
    with Image.open(path / "00000.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), MASKS[0])
        assert image.getpalette()[:9] == [0, 0, 0, *DOG.colour, *CAT.colour]


@pytest.mark.parametrize("colour", [(0, 0, 0), DOG.colour])
def test_objects_whose_colours_tell_nothing_get_others(colour, tmp_path):
    path = write(
        "palette", tmp_path / "p", FRAMES, MASKS, objects=[DOG, CAT._replace(colour=colour)]
    )
    np.testing.assert_array_equal(read_masks(str(path), size=SIZE).labels[0], MASKS[0])
    shown = np.array(Image.open(path / "00000.png").convert("RGB"))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 3


# Single objects


def test_each_object_has_a_folder_of_black_and_white_masks(tmp_path):
    path = exported("objects", tmp_path)
    assert sorted(file.name for file in path.iterdir()) == ["001_dog", "002_cat"]
    for id, name in ((1, "001_dog"), (2, "002_cat")):
        for index, labels in MASKS.items():
            with Image.open(path / name / f"{index:05d}.png") as image:
                assert image.mode == "L"
                np.testing.assert_array_equal(np.array(image), 255 * (labels == id))


def test_an_object_has_no_file_before_it_is_seen(tmp_path):
    masks = {0: MASKS[1], 1: MASKS[0]}
    path = write("objects", tmp_path / "o", FRAMES, masks)
    assert sorted(str(file.relative_to(path)) for file in path.rglob("*.png")) == [
        "001/00000.png",
        "001/00001.png",
        "002/00001.png",
    ]


@pytest.mark.parametrize("name", ["../../etc", "/tmp/x", "a/b\\c", "..", ".", "\0x\n", "x" * 400])
def test_no_name_of_an_object_leads_out_of_the_folder(name, tmp_path):
    path = write("objects", tmp_path / "o", FRAMES, MASKS, objects=[Object(1, name)])
    assert len(list(path.iterdir())) == 2 and sorted(file.name for file in tmp_path.iterdir()) == [
        "o"
    ]
    assert all(file.name.startswith(("001", "002")) for file in path.iterdir())


# COCO


def test_coco_is_what_its_own_tools_take(tmp_path, folder):
    coco = pytest.importorskip("pycocotools.coco").COCO(exported("coco", tmp_path, folder))
    coco_mask = pytest.importorskip("pycocotools.mask")
    assert {entry["id"]: entry["name"] for entry in coco.loadCats(coco.getCatIds())} == {
        1: "dog",
        2: "cat",
    }
    frames = {image["frame_id"]: image for image in coco.loadImgs(coco.getImgIds())}
    assert set(frames) == set(MASKS)
    for index, labels in MASKS.items():
        image = frames[index]
        assert image["file_name"] == f"{index:05d}.png"
        assert (image["height"], image["width"]) == SIZE
        back = np.zeros(SIZE, np.uint8)
        for record in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            mask = coco.annToMask(record)
            back[mask > 0] = record["track_id"]
            theirs = coco_mask.encode(np.asfortranarray(mask))
            assert record["segmentation"]["counts"] == theirs["counts"].decode()
            assert record["area"] == coco_mask.area(theirs)
            assert record["bbox"] == coco_mask.toBbox(theirs).tolist()
            assert record["iscrowd"] == 0
        np.testing.assert_array_equal(back, labels)


def test_objects_of_one_name_are_one_category(tmp_path):
    path = tmp_path / "two.json"
    write("coco", path, FRAMES, MASKS, objects=[DOG, CAT._replace(name="dog")])
    content = json.loads(path.read_text())
    assert [entry["name"] for entry in content["categories"]] == ["dog"]
    assert {record["track_id"] for record in content["annotations"]} == {1, 2}


def test_objects_without_a_name_are_called_by_their_ids(tmp_path):
    write("coco", tmp_path / "a.json", FRAMES, {0: LABELS[0]})
    content = json.loads((tmp_path / "a.json").read_text())
    assert [entry["name"] for entry in content["categories"]] == ["object 1", "object 2"]


# YouTube-VIS


def test_tracks_are_null_where_an_object_is_absent(tmp_path, folder):
    content = json.loads(exported("youtube-vis", tmp_path, folder).read_text())
    (video,) = content["videos"]
    assert (video["height"], video["width"], video["length"]) == (*SIZE, 6)
    assert video["file_names"] == [f"clip/{index:05d}.png" for index in range(6)]
    seen = {1: [0, 1, 4], 2: [0, 4, 5]}
    for record in content["annotations"]:
        for name in ("segmentations", "bboxes", "areas"):
            there = [index for index, entry in enumerate(record[name]) if entry is not None]
            assert len(record[name]) == 6 and there == seen[record["id"]]
        assert (record["height"], record["width"], record["length"]) == (*SIZE, 6)


def youtube_vis_layout(root):
    """The folder of a download of YouTube-VIS, made of an export and its frames."""
    images = root / "train" / "JPEGImages"
    (images / "clip").mkdir(parents=True)
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(images / "clip" / f"{index:05d}.jpg")
    path = root / "train" / "instances.json"
    write("youtube-vis", path, str(images / "clip"), MASKS, objects=[DOG, CAT])


def test_data_preparation_reads_the_tracks(tmp_path_factory):
    pytest.importorskip("pycocotools")
    prepared_splits = pytest.importorskip("support.prepared_splits")
    made = prepared_splits.once(tmp_path_factory)(youtube_vis_layout, "youtube_vis/2021")
    video = made.video("clip")
    assert video["categories"] == [b"dog", b"cat"] and (video["height"], video["width"]) == SIZE
    for index, stored in enumerate(video["masks"]):
        truth = MASKS.get(index, np.zeros(SIZE))
        np.testing.assert_array_equal(prepared_splits.labels(stored), truth)


def test_results_are_a_list_with_scores(tmp_path):
    path = tmp_path / "results.json"
    write("youtube-vis-results", path, FRAMES, MASKS, objects=[DOG._replace(score=0.75), CAT])
    first, second = json.loads(path.read_text())
    assert (first["score"], second["score"]) == (0.75, 1.0)
    assert (first["video_id"], first["category_id"], second["category_id"]) == (1, 1, 2)
    assert [entry is None for entry in first["segmentations"]] == [0, 0, 1, 1, 0, 1]


# Cut-outs and overlay


def test_cut_out_pngs_hold_the_objects_alone(tmp_path):
    path = exported("cutout-png", tmp_path)
    assert len(list(path.iterdir())) == 6
    for index in range(6):
        picture = np.array(Image.open(path / f"{index:05d}.png"))
        mask = MASKS.get(index, np.zeros(SIZE)) > 0
        np.testing.assert_array_equal(picture[..., 3], 255 * mask)
        np.testing.assert_array_equal(picture[..., :3], FRAMES[index] * mask[..., None])


def decoded(path):
    """RGB and alpha of a WebM's frames and their times in seconds; this decoder reads the alpha."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in container.demux(stream):
            for frame in decoder.decode(packet if packet.size else None):
                assert frame.format.name == "yuva420p"
                plane = frame.planes[3]  # FFmpeg's conversion to RGBA reads beyond some widths
                alpha = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                alpha = alpha[: frame.height, : frame.width].copy()
                yield frame.to_ndarray(format="rgb24"), alpha, float(frame.pts * stream.time_base)


@pytest.mark.parametrize("size", [(48, 66), (47, 65)])
def test_a_cut_out_film_has_the_mask_as_alpha(size, tmp_path):
    height, width = size
    frames = FRAMES[:, :height, :width]
    masks = {index: labels[:height, :width] for index, labels in MASKS.items()}
    path = write("cutout-webm", tmp_path / "cut.webm", frames, masks)
    shown = list(decoded(path))
    assert len(shown) == 6
    np.testing.assert_allclose([time for *_, time in shown], np.arange(6) / 25, atol=1e-3)
    for index, (picture, alpha, _) in enumerate(shown):
        mask = masks.get(index, np.zeros(size)) > 0
        np.testing.assert_array_equal(alpha > 127, mask)
        if mask.any():
            difference = picture[mask].astype(int) - frames[index][mask]
            assert np.abs(difference).mean() < 12


def test_the_film_says_that_it_has_alpha(tmp_path):
    """Players look for this entry of the track, AlphaMode 1, in the file's header."""
    path = exported("cutout-webm", tmp_path)
    assert b"\x53\xc0\x81\x01" in path.read_bytes()[:2000]


def test_the_overlay_is_h264_with_the_objects_tinted(tmp_path):
    path = exported("overlay", tmp_path)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 6
    y, x = np.argwhere(cv2.erode(np.uint8(MASKS[0] == 2), np.ones((5, 5))))[0]
    tinted = (FRAMES[0][y, x].astype(int) + np.array(CAT.colour)) // 2
    assert np.abs(shown[0][y, x].astype(int) - tinted).max() < 40
    background = MASKS[0] == 0
    assert np.abs(shown[2].astype(int) - FRAMES[2])[background].mean() < 12  # without objects


# DAVIS


def test_a_davis_folder_is_a_dataset(tmp_path, folder):
    path = exported("davis", tmp_path, folder)
    source = annotated(Folder(str(path), split="train", year=2017))
    assert source.names == ("clip",)
    header = source.header(0)
    assert (header.length, header.size, header.annotated) == (6, SIZE, tuple(MASKS))
    for index, labels in MASKS.items():
        (frame,) = source.read(0, [index])
        np.testing.assert_array_equal(decode.labels(frame.mask, name="mask"), labels)
        image = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(image.astype(int) - FRAMES[index]).mean() < 8


def test_clips_of_a_training_are_drawn_from_a_davis_folder(tmp_path, folder):
    path = exported("davis", tmp_path, folder, masks=dict(enumerate(LABELS)))
    dataset = sets.open_dataset(sets.DatasetConfig(str(path), split="train"))
    settings = aot.VideoSettings(short_side=40, scale=(1.0, 1.0), flip=0.0, merge=0.0)
    drawn = aot.VideoClips(dataset.videos, settings).clip(
        0, np.random.default_rng(0), types.ClipSpec(3, 32, 40, shuffle=False)
    )
    assert drawn["frames"].shape == (3, 32, 40, 3) and drawn["live"].any()
    assert set(np.unique(drawn["labels"])) - {0}


def test_videos_are_added_to_a_davis_folder(tmp_path):
    path = tmp_path / "mine"
    for name in ("cow", "dog", "ant"):
        write("davis", path, FRAMES, MASKS, name=name)
    assert (path / "ImageSets/2017/train.txt").read_text().split() == ["cow", "dog", "ant"]
    assert Folder(str(path), split="train").names == ("cow", "dog", "ant")
    with pytest.raises(InputError, match="video dog: .* is there already"):
        write("davis", path, FRAMES, MASKS, name="dog")
    write("davis", path, FRAMES[:5], {0: LABELS[0]}, name="dog", overwrite=True)
    source = Folder(str(path), split="train")
    assert [source.header(video).length for video in range(3)] == [6, 5, 6]


def test_jpegs_are_copied_as_they_are(tmp_path):
    (tmp_path / "clip").mkdir()
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(tmp_path / "clip" / f"x{index}.jpeg", quality=60)
    path = write("davis", tmp_path / "d", str(tmp_path / "clip"), MASKS)
    for index in range(6):
        copy = path / "JPEGImages" / "Full-Resolution" / "clip" / f"x{index}.jpg"
        assert copy.read_bytes() == (tmp_path / "clip" / f"x{index}.jpeg").read_bytes()


def test_a_turned_jpeg_is_written_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    (tmp_path / "clip").mkdir()
    Image.fromarray(FRAMES[0]).save(tmp_path / "clip" / "0.jpg", exif=exif)
    labels = np.rot90(LABELS[0], -1)
    path = write("davis", tmp_path / "d", str(tmp_path / "clip"), {0: labels})
    assert Folder(str(path)).header(0).size == labels.shape == (66, 48)
    with Image.open(path / "JPEGImages/Full-Resolution/clip/0.jpg") as image:
        assert image.getexif().get(274, 1) == 1


def test_frames_of_480_lines_go_to_480p(tmp_path):
    frames = np.zeros((1, 480, 500, 3), np.uint8)
    path = write("davis", tmp_path / "d", frames, {0: np.ones((480, 500), np.uint8)}, name="a")
    assert (path / "Annotations/480p/a/00000.png").exists()


# Places and memory


@pytest.mark.parametrize("format", FORMATS)
def test_masks_are_read_one_by_one_in_order_and_frames_are_told(format, tmp_path):
    asked, told = [], []

    class Lazy(dict):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    write(
        format,
        tmp_path / FORMATS[format].default_name("v"),
        FRAMES,
        Lazy(MASKS),
        progress=told.append,
    )
    assert asked == list(MASKS) and told == sorted(told) and set(MASKS) <= set(told)


@pytest.mark.parametrize("format", FORMATS)
def test_a_long_video_takes_no_more_memory_than_a_short_one(format, tmp_path):
    picture, labels = np.full((120, 160, 3), 90, np.uint8), np.zeros((120, 160), np.uint8)
    labels[20:60, 30:90] = 1

    class Same(dict):
        def __getitem__(self, index):
            return labels.copy()

    def peak(count):
        frames = (picture.copy() for _ in range(count))
        tracemalloc.start()
        place = tmp_path / f"{count}" / FORMATS[format].default_name("v")
        write(format, place, frames, Same.fromkeys(range(count)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(3)
    short, long = peak(10), peak(60)
    assert long - short < 60 * 2_000 < labels.size * 50


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_left_of_an_export_that_fails(format, tmp_path):
    place = tmp_path / FORMATS[format].default_name("v")
    masks = {0: LABELS[0], 3: LABELS[3][:, :40]}
    with pytest.raises(InputError, match="mask of frame 3 is 40x48, the video is 66x48"):
        write(format, place, FRAMES, masks, name="v")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()] and not place.exists()


@pytest.mark.parametrize("format", FORMATS)
def test_an_older_export_stays_until_the_new_one_is_whole(format, tmp_path):
    place = exported(format, tmp_path)
    before = content(place)
    with pytest.raises(InputError, match="is there already"):
        exported(format, tmp_path)
    with pytest.raises(InputError, match="66x48"):
        exported(format, tmp_path, masks={0: LABELS[0][:9]}, overwrite=True)
    assert content(place) == before
    exported(format, tmp_path, masks={0: LABELS[3]}, overwrite=True)
    assert content(place) != before


def content(place):
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return {file: file.read_bytes() for file in files if file.is_file()}


def test_ffmpeg_reads_the_film_where_it_is_installed(tmp_path):
    path = exported("cutout-webm", tmp_path)
    try:
        answer = subprocess.run(["ffprobe", "-v", "error", "-i", path], capture_output=True)
    except FileNotFoundError:
        pytest.skip("ffprobe is not installed")
    assert answer.returncode == 0 and not answer.stderr


KILLED = """
import os, pathlib, signal, sys
from vosjax.exports.places import new_folder

with new_folder(pathlib.Path(sys.argv[1])) as temp:
    (temp / "00000.png").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path):
    path, other = tmp_path / "masks", tmp_path / ".masks2.0123abcd.tmp"
    other.mkdir()  # of another folder, whose process may be alive
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    left = [item.name for item in tmp_path.iterdir() if item.name.startswith(".masks.")]
    assert not path.exists() and any(name.endswith(".tmp") for name in left), left
    write("palette", path, FRAMES, MASKS)
    assert {item.name for item in tmp_path.iterdir()} == {"masks", other.name}


def test_two_exports_to_one_folder_do_not_meet(tmp_path):
    path = tmp_path / "masks"
    with new_folder(path) as temp:
        with pytest.raises(InputError, match="masks"):
            write("palette", path, FRAMES, MASKS)
        assert temp.is_dir(), "the folder of an export that is under way stays"
        (temp / "whole").touch()
    assert [item.name for item in tmp_path.iterdir()] == ["masks"] and (path / "whole").exists()


def test_an_earlier_export_that_was_put_aside_comes_back(tmp_path):
    aside = tmp_path / ".masks.0123abcd.old.tmp"
    aside.mkdir()
    (aside / "00000.png").touch()
    with pytest.raises(InputError, match="id"):
        write("palette", tmp_path / "masks", FRAMES, {0: LABELS[0].astype(int) * 300})
    assert [item.name for item in (tmp_path / "masks").iterdir()] == ["00000.png"]
