"""Fuses runs that kept their probabilities, one frame of every run at a time."""

import pathlib
from typing import NamedTuple, Sequence

import jax.numpy as jnp
import numpy as np

from vosjax.compose import mean, surest
from vosjax.eval import folder as files
from vosjax.eval import keypoints, layout, probabilities
from vosjax.eval.stored import opened
from vosjax.io.errors import InputError
from vosjax.io.palette import write_label_png
from vosjax.io.video import read_image
from vosjax.prompt import lay
from vosjax.types import Prompt

WAYS = ("mean", "max", "keypoints")


class Way(NamedTuple):
    """How runs are fused.

    name     of `WAYS`
    weights  one for each run, for 'mean'; () weighs all the same
    method   key points: 'sift' or 'orb'
    """

    name: str
    weights: tuple[float, ...] = ()
    method: str = "sift"


def fuse_sequence(runs: Sequence[pathlib.Path], sequence: layout.Sequence, folder, way: Way, *,
                  year: int) -> dict:
    """Writes the fused masks of one video, its record last.

    Args:
      runs: folders with probabilities.
      sequence: of the dataset that all of them ran.
      folder: for what is made.
      way: see above.
      year: of `layout.read_given`.

    Returns:
      The record.

    Raises:
      InputError: probabilities that are missing or damaged, or of other objects or sizes.
    """
    voter = _Voter(way.method, sequence) if way.name == "keypoints" else None
    first, wanted = min(sequence.starts.values()), sorted(files.kept(sequence))
    for index in wanted:
        path = files.mask_file(folder, sequence, index)
        if index < first:
            height, width = read_image(opened(sequence.frames[index])).shape[:2]
            write_label_png(path, np.zeros((height, width), np.uint8))
            continue
        probs, ids = _read(runs, sequence, index)
        if voter is None:
            fused = _averaged(probs, way)
        else:
            fused = voter(index, probs, ids)
        labels = _decided(fused, ids, sequence, index, year)
        if voter is not None:
            voter.remember(index, labels)
        write_label_png(path, labels)
    facts = {"name": sequence.name, "frames": len(sequence.frames), "computed": len(wanted),
             "objects": len(sequence.starts)}
    files.finish(folder, sequence, facts)
    return facts


def _read(runs, sequence, index):
    """Probabilities [M, N+1, H, W] of a frame, and the ids."""
    name = pathlib.Path(sequence.name) / f"{sequence.frames[index].stem}.npz"
    found = [probabilities.read(run / "probabilities" / name) for run in runs]
    shapes = {(probs.shape, ids) for probs, ids in found}
    if len(shapes) > 1:
        told = "; ".join(f"{run}: ids {ids}, {probs.shape[1]}x{probs.shape[2]}"
                         for run, (probs, ids) in zip(runs, found))
        raise InputError(f"{name} differs between the runs ({told}): fuse runs of one dataset")
    return np.stack([probs for probs, _ in found]), found[0][1]


def _averaged(probs, way):
    if way.name == "max":
        return np.asarray(surest(jnp.asarray(probs)))
    if way.weights:
        return np.average(probs, 0, way.weights)
    return np.asarray(mean(jnp.asarray(probs)))


def _decided(fused, ids, sequence, index, year):
    """Labels uint8 [H, W] of ids; what the dataset gives in this frame stands as given."""
    started = np.array([True, *(sequence.starts[key] <= index for key in ids)])
    fused = np.where(started[:, None, None], fused, 0)
    if index in sequence.starts.values():
        table = np.zeros(256, np.int32)
        table[list(ids)] = np.arange(1, len(ids) + 1)
        marks = table[layout.read_given(sequence, index, year=year)]
        given = np.array([sequence.starts[key] == index for key in ids])
        fused = np.asarray(lay(jnp.asarray(fused), Prompt(jnp.asarray(marks), jnp.asarray(given))))
    return np.array([0, *ids], np.uint8)[fused.argmax(0)]


class _Voter:
    """Key-point voting along a video: points and labels of the frames it may look back to."""

    def __init__(self, method, sequence):
        self._method, self._sequence = method, sequence
        self._order, self._points, self._labels = [], {}, {}
        self._weights = []

    def __call__(self, index, probs, ids) -> np.ndarray:
        """Fused probabilities [N+1, H, W] of the runs' [M, N+1, H, W]."""
        last = self._labels[self._order[-1]] if self._order else None
        frame = read_image(opened(self._sequence.frames[index]))
        self._points[index] = keypoints.detect(frame, last, method=self._method)
        votes = keypoints.match(self._references(), self._points[index], frame.shape[:2],
                                method=self._method)
        masks = np.array([0, *ids], np.uint8)[probs.argmax(1)]
        self._weights.append(keypoints.weigh(*keypoints.qualities(votes, masks, ids)))
        del self._weights[:-3]  # smoothed over three frames
        return keypoints.fuse(probs, np.mean(self._weights, 0))

    def remember(self, index, labels):
        """Takes what was decided for a frame; forgets what nobody looks back to."""
        self._order.append(index)
        self._labels[index] = labels
        given = set(self._sequence.starts.values())
        for old in [i for i in self._order[:-max(keypoints.BACK)] if i not in given]:
            self._points.pop(old, None)
            self._labels.pop(old, None)
            self._order.remove(old)

    def _references(self):
        given = {i for i in self._sequence.starts.values() if i in self._labels}
        back = {self._order[-step]: keypoints.FADE ** step for step in keypoints.BACK
                if step <= len(self._order)}
        return [keypoints.refer(self._points[i], self._labels[i],
                                1.0 if i in given else back[i]) for i in sorted(given | set(back))]


def check(runs: Sequence[pathlib.Path], way: Way) -> None:
    """Raises InputError unless there are runs, and the way and its weights fit them."""
    if not runs:
        raise InputError("--input is missing; fusing takes --input RUN RUN ... --output DIR")
    if way.name not in WAYS:
        raise InputError(f"config.fuse is {way.name!r}; there are {', '.join(WAYS)}")
    if way.method not in keypoints.METHODS:
        raise InputError(f"config.keypoints is {way.method!r}; there are "
                         f"{', '.join(keypoints.METHODS)}")
    if way.weights and (way.name != "mean" or len(way.weights) != len(runs)
                        or min(way.weights) <= 0):
        raise InputError(f"config.fuse_weights is {way.weights} for {len(runs)} runs fused by "
                         f"{way.name}; one weight above 0 a run is expected, with 'mean' only")
    for run in runs:
        if not (run / "probabilities").is_dir():
            raise InputError(f"{run} holds no probabilities: run it with "
                             "--config.eval.probabilities=8 (or 16)")
