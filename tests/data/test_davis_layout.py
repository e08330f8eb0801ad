"""Reading evaluation videos in DAVIS layout."""

import cv2
import numpy as np
import pytest
from PIL import Image

from vosjax.datasets import folders


@pytest.fixture
def root(tmp_path):
    for part in ("JPEGImages", "Annotations"):
        (tmp_path / part / "cow").mkdir(parents=True)
    for t in range(3):
        cv2.imwrite(
            str(tmp_path / "JPEGImages/cow" / f"{t:05d}.jpg"),
            np.full((20, 30, 3), 40 * t, np.uint8),
        )
    for t, ids in ((0, [1]), (2, [1, 2])):
        mask = np.zeros((20, 30), np.uint8)
        for i in ids:
            mask[4 * i : 4 * i + 3] = i
        image = Image.fromarray(mask)
        image.putpalette([(37 * i) % 256 for i in range(768)])
        image.save(tmp_path / "Annotations/cow" / f"{t:05d}.png")
    return tmp_path


def test_videos_list_frames_in_order_and_masks_by_index(root):
    (video,) = folders.videos(root)
    assert video.name == "cow" and [path.stem for path in video.frames] == [
        "00000",
        "00001",
        "00002",
    ]
    assert sorted(video.masks) == [0, 2]
    assert folders.read_frame(video.frames[1]).shape == (20, 30, 3)


def test_prompts_show_each_object_once(root):
    prompts = folders.first_appearances(folders.videos(root)[0])
    assert {t: sorted(np.unique(mask)) for t, mask in prompts.items()} == {0: [0, 1], 2: [0, 2]}


def test_missing_clip_is_named(root):
    with pytest.raises(ValueError, match="no clip horse.*holds: cow"):
        folders.videos(root, ["horse"])


def test_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JPEGImages"):
        folders.videos(tmp_path)
