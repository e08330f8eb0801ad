"""Videos in DAVIS layout: `JPEGImages/CLIP/*.jpg`, `Annotations/CLIP/*.png` of the same stems."""

import pathlib
from typing import NamedTuple

import cv2
import numpy as np

from vosjax.data import photos

_PICTURES = ('.jpg', '.jpeg', '.png')


class Video(NamedTuple):
    """A clip on disk: name, frame paths in order, {frame index: mask path} where annotated."""

    name: str
    frames: tuple
    masks: dict


def videos(root, names=None):
    """The `Video`s under `root`, sorted, or those called `names`.

    Raises ValueError when one is missing or empty.
    """
    images = pathlib.Path(root) / 'JPEGImages'
    if not images.is_dir():
        raise ValueError(
            f'{root} holds no JPEGImages folder; expected JPEGImages/CLIP/*.jpg and '
            'Annotations/CLIP/*.png'
        )
    present = sorted(path.name for path in images.iterdir() if path.is_dir())
    chosen = present if names is None else list(names)
    missing = [name for name in chosen if name not in present]
    if missing or not chosen:
        raise ValueError(
            f'{images} has no clip {", ".join(missing) or "at all"}; '
            f'it holds: {", ".join(present) or "none"}'
        )
    return [_video(pathlib.Path(root), name) for name in chosen]


def _video(root, name):
    frames = sorted(
        path for path in (root / 'JPEGImages' / name).iterdir() if path.suffix.lower() in _PICTURES
    )
    masks = {path.stem: path for path in (root / 'Annotations' / name).glob('*.png')}
    if not frames:
        raise ValueError(f'clip {name} in {root} has no frames; expected JPEGImages/{name}/*.jpg')
    found = {i: masks[path.stem] for i, path in enumerate(frames) if path.stem in masks}
    return Video(name, tuple(frames), found)


def read_frame(path):
    """A frame uint8 [H, W, 3] RGB, as stored (no turning by EXIF, so that masks fit)."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f'{path} cannot be read as a picture; copy it again')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_mask(path):
    """Object ids uint8 [H, W]; see `photos.read_mask`."""
    return photos.read_mask(path)


def first_appearances(video):
    """{frame index: mask uint8 [H, W]} with every object where it is first annotated, only there.

    These are the prompts of semi-supervised evaluation: later masks of known objects are withheld.
    """
    known, prompts = {0, 255}, {}
    for index in sorted(video.masks):
        mask = read_mask(video.masks[index])
        new = [i for i in np.unique(mask) if i not in known]
        if new:
            prompts[index] = np.where(np.isin(mask, new), mask, 0).astype(np.uint8)
            known.update(int(i) for i in new)
    return prompts
