"""What a source of videos is, whatever it lies in: a prepared dataset or a plain folder.

A source has

    len(source)                     the number of videos
    source.header(i) -> Header      what is known of a video without decoding its pictures
    source.read(i, frames) -> [Encoded]   frames by index, as stored

Training samples clips from it, evaluation reads prompts and truths, segmentation the frames; a
source can be pickled and sent to other processes.
"""

from typing import NamedTuple

import numpy as np

from vosjax.datasets import decode


class Header(NamedTuple):
    """A video of T frames and N objects.

    name        of the video
    names       T frame names (file stems), or () where the source keeps them with the frames
    size        (height, width)
    fps         of its frames; 0.0 where it is not known
    ids         int [N]     object ids, the values in the masks
    categories  N names, '' where the source has none
    areas       int [T, N]  pixels; -1 in frames without a mask
    listed      indices of the frames that the dataset scores; () where it names none
    """

    name: str
    names: tuple
    size: tuple
    fps: float
    ids: np.ndarray
    categories: tuple
    areas: np.ndarray
    listed: tuple = ()


class Encoded(NamedTuple):
    """One frame as stored: its name, the image's bytes, the mask's bytes or b''."""

    name: str
    image: bytes
    mask: bytes


def annotated(header):
    """Indices int [A] of the frames that have a mask, rising."""
    if not len(header.ids):
        return np.zeros(0, int)
    return np.flatnonzero(header.areas[:, 0] >= 0)


def prompts(source, index):
    """{frame index: label map uint8 [H, W]} with every object where it appears first, only there.

    These are what semi-supervised evaluation gives; later masks of known objects are withheld.
    """
    header = source.header(index)
    starts = (header.areas > 0).argmax(0) if len(header.ids) else np.zeros(0, int)
    given = {}
    for start in sorted(set(starts.tolist())):
        (frame,) = source.read(index, [start])
        labels = decode.mask(frame.mask, name=f"mask {frame.name} of {header.name}")
        new = header.ids[starts == start]
        given[start] = np.where(np.isin(labels, new), labels, 0).astype(np.uint8)
    return given


def frames(source, index, *, start=0):
    """Yields the frames uint8 [H, W, 3] RGB of a video from frame `start` on, one at a time."""
    header = source.header(index)
    for t in range(start, len(header.areas)):
        (frame,) = source.read(index, [t])
        yield decode.image(frame.image, name=f"frame {frame.name} of {header.name}")
