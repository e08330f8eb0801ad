"""Fuses runs that kept their probabilities, one frame of every run at a time."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.compose.combinators import Fusion, stateless
from vosjax.errors import InputError
from vosjax.eval import folder as files
from vosjax.eval import layout, probabilities
from vosjax.eval.stored import open_picture
from vosjax.io.palette import write_label_png
from vosjax.io.video import read_image
from vosjax.loading import ensembles
from vosjax.prompt import apply_prompt
from vosjax.types import Prompt, Spec, When


class FusionConfig(NamedTuple):
    """How runs are fused.

    name     of `ensembles.WAYS`
    weights  one for each run, for 'mean'; () weighs all the same
    method   key points: 'sift' or 'orb'
    """

    name: str
    weights: tuple[float, ...] = ()
    method: str = "sift"


def fuse_sequence(
    runs: Sequence[pathlib.Path],
    sequence: layout.EvalVideo,
    folder,
    way: FusionConfig,
    *,
    year: int,
) -> dict:
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
    fusion = _fusion(way)
    fuse, remember = jax.jit(fusion.fuse), jax.jit(fusion.commit)
    first, wanted = min(sequence.starts.values()), sorted(files.frames_to_write(sequence))
    given_at, state = set(sequence.starts.values()), None
    for time, index in enumerate(wanted):
        path, frame = files.mask_file(folder, sequence, index), None
        if index < first or way.name == "keypoints":
            frame = read_image(open_picture(sequence.frames[index]))
        if index < first:
            write_label_png(path, np.zeros(frame.shape[:2], np.uint8))
            continue
        probs, ids = _read(runs, sequence, index)
        if state is None:
            state = fusion.init(Spec(*probs.shape[2:], len(ids), len(given_at)), len(runs))
        seen = fusion.encode(None if frame is None else jnp.asarray(frame, jnp.float32) / 255)
        fused, aux = fuse(state, seen, probs)
        decided, given = _decided(fused, ids, sequence, index, year)
        when = When(jnp.asarray(index in given_at), jnp.asarray(True), jnp.int32(time))
        state = remember(state, aux, decided, given, when)
        write_label_png(path, np.array([0, *ids], np.uint8)[np.asarray(decided.argmax(0))])
    facts = {
        "name": sequence.name,
        "frames": len(sequence.frames),
        "computed": len(wanted),
        "objects": len(sequence.starts),
    }
    files.finish(folder, sequence, facts)
    return facts


def _read(runs, sequence, index):
    """Probabilities [M, N+1, H, W] of a frame, and the ids."""
    name = pathlib.Path(sequence.name) / f"{sequence.frames[index].stem}.npz"
    found = [probabilities.read(run / "probabilities" / name) for run in runs]
    shapes = {(probs.shape, ids) for probs, ids in found}
    if len(shapes) > 1:
        told = "; ".join(
            f"{run}: ids {ids}, {probs.shape[1]}x{probs.shape[2]}"
            for run, (probs, ids) in zip(runs, found)
        )
        raise InputError(f"{name} differs between the runs ({told}): fuse runs of one dataset")
    return np.stack([probs for probs, _ in found]), found[0][1]


def _fusion(way) -> Fusion:
    if way.weights:
        return stateless(lambda probs: jnp.average(probs, 0, jnp.asarray(way.weights)))
    return ensembles.fusion(way.name, method=way.method)


def _decided(fused, ids, sequence, index, year):
    """Probabilities in which what the dataset gives in this frame stands as given; what it gives."""
    started = np.array([True, *(sequence.starts[key] <= index for key in ids)])
    given = np.array([sequence.starts[key] == index for key in ids])
    fused = jnp.where(started[:, None, None], fused, 0)
    if given.any():
        table = np.zeros(256, np.int32)
        table[list(ids)] = np.arange(1, len(ids) + 1)
        marks = table[layout.read_given(sequence, index, year=year)]
        fused = apply_prompt(fused, Prompt(jnp.asarray(marks), jnp.asarray(given)))
    return fused, given


def check(runs: Sequence[pathlib.Path], way: FusionConfig) -> None:
    """Raises InputError unless there are runs, and the way and its weights fit them."""
    if not runs:
        raise InputError("--input is missing; fusing takes --input RUN RUN ... --output DIR")
    ensembles.fusion(way.name, method=way.method)
    if way.weights and (
        way.name != "mean" or len(way.weights) != len(runs) or min(way.weights) <= 0
    ):
        raise InputError(
            f"config.fuse_weights is {way.weights} for {len(runs)} runs fused by "
            f"{way.name}; one weight above 0 a run is expected, with 'mean' only"
        )
    for run in runs:
        if not (run / "probabilities").is_dir():
            raise InputError(
                f"{run} holds no probabilities: run it with --config.eval.probabilities=8 (or 16)"
            )
