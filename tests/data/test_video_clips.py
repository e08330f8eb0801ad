"""Clips from videos, stored and plain: AOT's and STCN's samplers, the stream."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import dataset_layouts as layouts

from vosjax.data import jitter, pipeline, sets, spline, types, window
from vosjax.data.samplers import aot, stcn
from vosjax.datasets import decode, folders
from vosjax.errors import InputError

SPEC = types.ClipSpec(4, 32, 40, shuffle=False)
BARE = aot.VideoSettings(short_side=40, scale=(1.0, 1.0), flip=0.0, merge=0.0, least_reference=50)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """YouTube-VOS as a folder and as a prepared dataset; stills as a prepared dataset."""
    return layouts.stored(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module", params=["folder", "prepared"])
def source(request, roots):
    return sets.open_dataset(sets.DatasetConfig(str(roots[request.param]))).videos


# AOT's recipe


def _clips(source, count, change=BARE, spec=SPEC):
    clips = aot.VideoClips(source, change)
    return [clips.clip(i % len(source), np.random.default_rng(i), spec) for i in range(count)]


def test_clips_have_the_documented_arrays(source):
    for clip in _clips(source, 6, aot.VideoSettings(short_side=40)):
        assert clip["frames"].shape == (4, 32, 40, 3) and clip["frames"].dtype == np.uint8
        seen = types.visible_ids(clip["labels"][0], types.minimum_pixels(32, 40))
        assert np.array_equal(np.flatnonzero(clip["live"]) + 1, seen)
        assert set(np.unique(clip["labels"])) <= {0, *seen}


def _boxes_video(tmp_path, count=9, size=(60, 80)):
    """A red block, object 3, walks to the right over grey ground."""
    for t in range(count):
        labels = np.zeros(size, np.uint8)
        labels[20:44, 4 + 5 * t : 24 + 5 * t] = 3
        image = np.full((*size, 3), 90, np.uint8)
        image[labels > 0] = (220, 20, 20)
        for kind in ("JPEGImages", "Annotations"):
            (tmp_path / kind / "walk").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(
            str(tmp_path / f"JPEGImages/walk/{t:05d}.jpg"),
            image[..., ::-1],
            [cv2.IMWRITE_JPEG_QUALITY, 98],
        )
        layouts.palette_png(tmp_path / f"Annotations/walk/{t:05d}.png", labels)
    return folders.Folder(str(tmp_path))


@pytest.mark.parametrize("make", [aot, stcn])
def test_masks_sit_on_their_pixels_through_all_changes(tmp_path, make):
    source = _boxes_video(tmp_path)
    dataset = sets.DatasetConfig(str(tmp_path))
    clips = make.of_videos(source, dataset, pipeline.ClipsConfig(merge=0.0))
    spec = types.ClipSpec(3, 48, 48, shuffle=False)
    agree, seen = [], 0
    for seed in range(10):
        clip = clips.clip(0, np.random.default_rng(seed), spec)
        red = clip["frames"][..., 0].astype(int) - clip["frames"][..., 1] > 90
        agree.append(((clip["labels"] == 1) == red).mean())
        seen += int(clip["objects"])
    assert np.mean(agree) > 0.97 and seen >= 8


@settings(max_examples=60, deadline=None)
@given(
    st.integers(20, 90),
    st.integers(20, 90),
    st.floats(0.3, 2.5),
    st.integers(10, 64),
    st.integers(10, 64),
    st.integers(0, 99),
)
def test_windows_lie_in_the_frame_and_fill_the_clip(height, width, scale, high, wide, seed):
    view = window.draw((height, width), scale, (high, wide), np.random.default_rng(seed))
    y, x, taken_high, taken_wide = view.source
    assert 0 <= y <= height - taken_high and 0 <= x <= width - taken_wide
    assert view.size == (
        min(high, max(1, round(height * scale))),
        min(wide, max(1, round(width * scale))),
    )
    assert view.size[0] + view.corner[0] <= high and view.size[1] + view.corner[1] <= wide
    # The scale of both axes is kept to within a pixel.
    assert abs(taken_high * scale - view.size[0]) <= max(1.0, scale)
    labels = view.labels(np.full((height, width), 7, np.uint8))
    assert labels.shape == (high, wide) and (labels == 7).sum() == np.prod(view.size)


def test_pictures_are_decoded_as_small_as_will_do(source, monkeypatch):
    asked, image = [], decode.image
    monkeypatch.setattr(
        decode,
        "image",
        lambda data, *, reduce=1, name: (
            asked.append(reduce),
            image(data, reduce=reduce, name=name),
        )[1],
    )
    for side, reduce in ((40, 1), (20, 2), (10, 4)):
        asked.clear()
        spec = types.ClipSpec(2, 8, 8)
        _clips(source, 2, dataclasses.replace(BARE, short_side=side), spec)
        assert set(asked) == {reduce}


def test_only_the_frames_of_the_clip_are_decoded(source, monkeypatch):
    count, image = [], decode.image
    monkeypatch.setattr(decode, "image", lambda *a, **k: (count.append(1), image(*a, **k))[1])
    aot.VideoClips(source, BARE).clip(0, np.random.default_rng(0), SPEC)
    assert len(count) <= SPEC.frames


def test_windows_without_an_object_are_tried_again(tmp_path):
    source = _boxes_video(tmp_path, size=(60, 200))
    spec = types.ClipSpec(2, 30, 30)
    shown = {
        crops: np.mean(
            [
                aot.VideoClips(source, dataclasses.replace(BARE, short_side=60, crops=crops)).clip(
                    0, np.random.default_rng(seed), spec
                )["objects"]
                > 0
                for seed in range(60)
            ]
        )
        for crops in (1, 5)
    }
    assert shown[5] > shown[1] + 0.2


def test_merging_lays_another_video_over_and_keeps_ids_apart(source):
    alone = np.mean([clip["objects"] for clip in _clips(source, 12)])
    both = np.mean(
        [clip["objects"] for clip in _clips(source, 12, dataclasses.replace(BARE, merge=1.0))]
    )
    assert both > alone + 0.5


def test_a_clip_without_objects_is_merged(tmp_path):
    source = _boxes_video(tmp_path, size=(60, 400))
    settings = dataclasses.replace(BARE, short_side=60, crops=1, merge=1e-9)
    clips = aot.VideoClips(source, settings)
    alone = aot.VideoClips(source, dataclasses.replace(settings, merge=0.0))
    spec = types.ClipSpec(2, 30, 30)
    shown = [
        np.mean(
            [maker.clip(0, np.random.default_rng(seed), spec)["objects"] > 0 for seed in range(80)]
        )
        for maker in (clips, alone)
    ]
    assert shown[0] > 1.3 * shown[1] > 0


def test_plain_clips_are_crops_of_stored_pixels(source):
    settings = aot.VideoSettings(colour=jitter.V2).plain()
    assert (settings.reverse, settings.flip, settings.merge) == (0.0, 0.0, 0.0)
    assert settings.max_frame_gap == 3 and settings.colour == jitter.NONE
    clip = _clips(source, 1, dataclasses.replace(settings, short_side=40))[0]
    frames = [decode.image(frame.image) for frame in source.read(0, range(11))]
    difference = min(
        np.abs(window.astype(int) - clip["frames"][0]).max()
        for frame in frames
        for window in np.lib.stride_tricks.sliding_window_view(frame, (32, 40, 3)).reshape(
            -1, 32, 40, 3
        )
    )
    assert difference == 0


def test_one_seed_gives_one_clip(source):
    one, two = (
        _clips(source, 1, aot.VideoSettings(short_side=40, colour=jitter.V2))[0] for _ in range(2)
    )
    assert all(np.array_equal(one[key], two[key]) for key in one)


def test_a_video_of_one_frame_makes_a_clip(tmp_path):
    clip = _clips(_boxes_video(tmp_path, count=1), 1)[0]
    assert clip["frames"].shape[0] == 4 and (clip["labels"] == clip["labels"][0]).all()


def test_a_mask_of_another_size_is_named(tmp_path):
    source = _boxes_video(tmp_path)
    layouts.palette_png(tmp_path / "Annotations/walk/00004.png", np.ones((30, 30), np.uint8))
    with pytest.raises(InputError, match="00004.png is 30x30, its frame 80x60"):
        source.header(0).areas  # noqa: B018 - masks are read when areas are asked for


# STCN's recipe, and stills


def test_stcn_takes_two_objects_and_three_frames(source):
    clips = stcn.of_videos(source, sets.DatasetConfig("", thin=5), pipeline.ClipsConfig(skip=25))
    assert clips.settings.skip == 5
    spec = types.ClipSpec(3, 32, 32, max_objects=2)
    made = [clips.clip(i % 2, np.random.default_rng(i), spec) for i in range(12)]
    assert {int(clip["objects"]) for clip in made} == {1, 2}
    assert all(clip["frames"].shape == (3, 32, 32, 3) for clip in made)


@pytest.mark.parametrize("recipe", [aot, stcn])
def test_stills_become_moving_clips(roots, recipe):
    photos = sets.open_dataset(sets.DatasetConfig(str(roots["stills"]))).photos
    assert len(photos) == 1
    clips = recipe.of_photos(photos, sets.DatasetConfig(""), pipeline.ClipsConfig())
    made = [clips.clip(0, np.random.default_rng(i), types.ClipSpec(3, 32, 32)) for i in range(8)]
    assert sum(clip["objects"] > 0 for clip in made) >= 6
    assert sum((clip["labels"][0] != clip["labels"][2]).any() for clip in made) >= 6
    if recipe is stcn:
        assert max(int(clip["objects"]) for clip in made) == 1


def test_spline_passes_through_its_points_and_keeps_affine_maps():
    rng = np.random.default_rng(0)
    points, matrix = rng.uniform(0, 1, (12, 2)), rng.normal(size=(2, 2))
    values = points + 0.02 * rng.standard_normal((12, 2))
    assert np.abs(spline.spline(points, values, points) - values).max() < 1e-8
    at = rng.uniform(0, 1, (3, 4, 2))
    assert np.abs(spline.spline(points, points @ matrix + 1, at) - (at @ matrix + 1)).max() < 1e-8


# The stream


def _config(roots, **options):
    return pipeline.ClipsConfig(
        **{
            **dict(
                rendered_weight=0.0,
                root=str(roots["folder"].parent.parent),
                frames=3,
                height=32,
                width=32,
                sets=(dict(folder="source/train"), dict(folder="pascal_voc", weight=0.5)),
            ),
            **options,
        }
    )


def _take(config, count, **options):
    stream = pipeline.clips(config, **{"seed": 1, "batch": 2, **options})
    out = [{key: np.array(value) for key, value in next(stream).items()} for _ in range(count)]
    stream.close()
    return out


def _same(one, two):
    return all(np.array_equal(a[key], b[key]) for a, b in zip(one, two, strict=True) for key in a)


def test_sets_are_weighted_by_their_sizes_unless_told(roots):
    weighted = pipeline.sources(_config(roots))
    assert [round(weight, 3) for weight, _ in weighted] == [0.8, 0.2]
    weighted = pipeline.sources(_config(roots, rendered_weight=0.3, sets_weight=0.7))
    assert sum(weight for weight, _ in weighted) == pytest.approx(1.0)


def test_stream_of_sets_is_the_same_with_processes_hosts_and_after_a_restart(roots):
    config = _config(roots, sets=(dict(folder="youtube_vos"), dict(folder="pascal_voc")))
    plain = _take(config, 4)
    assert _same(_take(config, 4, workers=2), plain)
    assert _same(_take(config, 2, start_step=2), plain[2:])
    for host in range(2):
        half = _take(config, 4, host=host, hosts=2)
        rows = [np.split(batch["frames"], 2)[host] for batch in plain]
        assert all(np.array_equal(a["frames"], b) for a, b in zip(half, rows))


def test_phases_change_the_clips_at_their_step_and_survive_a_restart(roots):
    config = _config(
        roots, phases=(dict(start=2, plain=True, frames=2), dict(start=4, height=40, width=40))
    )
    made = _take(config, 6)
    shapes = [clip["frames"].shape[1:3] for clip in made]
    assert shapes == [(3, 32)] * 2 + [(2, 32)] * 2 + [(3, 40)] * 2
    assert _same(_take(config, 3, start_step=3), made[3:])


@pytest.mark.parametrize(
    "phases",
    [(dict(plain=True),), (dict(start=0),), (dict(start=3, x=1),), (dict(start=3), dict(start=2))],
)
def test_wrong_phases_are_refused(roots, phases):
    with pytest.raises(InputError, match="phase"):
        pipeline.clips(_config(roots, phases=phases), seed=0, batch=1)


def test_unknown_sampler_is_refused_with_the_known_ones(roots):
    with pytest.raises(InputError, match="there are aot, composed, stcn"):
        pipeline.sources(_config(roots, sampler="stm"))
