"""Fuses runs that kept their probabilities, reading one frame of every run at a time."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from vosjax.compose.combinators import Fusion, stateless
from vosjax.errors import InputError
from vosjax.eval import audit, probabilities
from vosjax.eval import folder as run_folder
from vosjax.eval.videos import EvalVideo, frame_size, read_frame, read_given
from vosjax.io.palette import write_label_png
from vosjax.loading import ensembles
from vosjax.prompt import apply_prompt
from vosjax.refine.pool import refine_frames
from vosjax.refine.refiner import Counts, Refiner, added
from vosjax.runs import digests
from vosjax.tracking.slots import to_ids, to_slots
from vosjax.types import Prompt, Spec, When


class FusionConfig(NamedTuple):
    """How runs are fused.

    name     one of `ensembles.WAYS`
    weights  for 'mean', one for each run; () gives all runs the same weight
    method   for 'keypoints', the kind of key points: 'sift' or 'orb'
    """

    name: str
    weights: tuple[float, ...] = ()
    method: str = "sift"


def fuse_sequence(
    runs: Sequence[pathlib.Path],
    video: EvalVideo,
    folder: pathlib.Path,
    config: FusionConfig,
    *,
    year: int,
    refiner: Refiner | None = None,
    zoomed: bool = False,
) -> dict[str, Any]:
    """Fuses the probabilities of one video and writes its masks, and its record last.

        fuse_sequence([run_a, run_b], video, out, FusionConfig("mean"), year=2017)

    Args:
        runs: folders of runs that kept their probabilities.
        video: a video of the dataset that all of them ran.
        folder: the output folder.
        config: how runs are fused.
        year: year of DAVIS, see `videos.read_given`.
        refiner: refines the fused masks; what the fusion keeps of a frame stays unrefined.
        zoomed: whether the masks are to be refined afterwards (`refining.refine_in_place`).

    Returns:
        The record without its digests.

    Raises:
        InputError: probabilities are missing or damaged, or the runs differ in objects or sizes.
    """
    if video.damage:
        raise InputError(video.damage)
    run_folder.forget(folder, video)
    first, indices = min(video.starts.values()), run_folder.frames_to_write(video)
    for index in sorted(index for index in indices if index < first):
        nothing = np.zeros(frame_size(video, index), np.uint8)
        write_label_png(run_folder.mask_file(folder, video, index), nothing)
    refined: Counts = {}
    frames = _fused(runs, video, config, year=year, with_images=refiner is not None)
    for index, ids, probs, counts in _refined(frames, refiner):
        refined = added(refined, counts)
        slots = np.asarray(probs.argmax(0))
        path = run_folder.mask_file(folder, video, index)
        write_label_png(path, to_ids(slots, np.array([0, *ids], np.uint8)))
    facts: dict[str, Any] = {
        "name": video.name,
        "frames": len(video.frames),
        "computed": len(indices),
        "objects": len(video.starts),
    }
    if refiner is not None:
        facts["refined"] = refined
    made_of = inputs(runs, video, config, year=year, refined=zoomed or refiner is not None)
    run_folder.finish(folder, video, facts | {"inputs": made_of})
    return facts


class _FusedFrame(NamedTuple):
    """The fused probabilities of a frame.

    index  of the frame
    ids    of the objects
    image  uint8 [H, W, 3] RGB; None unless it was asked for
    probs  [N+1, H, W]
    given  bool [N], the objects that start in this frame
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    ids: tuple[int, ...]
    image: npt.NDArray[np.uint8] | None
    probs: jax.Array
    given: npt.NDArray[np.bool_]


def _fused(
    runs: Sequence[pathlib.Path],
    video: EvalVideo,
    config: FusionConfig,
    *,
    year: int,
    with_images: bool,
) -> Iterator[_FusedFrame]:
    """Fuses all frames that are written, from the first one on that gives objects."""
    fusion = _fusion(config)
    fuse, commit = jax.jit(fusion.fuse), jax.jit(fusion.commit)
    with_points = config.name == "keypoints"
    first, state = min(video.starts.values()), None
    for time, index in enumerate(sorted(run_folder.frames_to_write(video))):
        if index < first:
            continue
        probs, ids = _read(runs, video, index)
        image = read_frame(video, index) if with_points or with_images else None
        if state is None:
            _, _, height, width = probs.shape
            state = fusion.init(Spec(height, width, len(ids), len(video.given)), len(runs))
        features = fusion.encode(jnp.asarray(image, jnp.float32) / 255 if with_points else None)
        fused, aux = fuse(state, features, probs)
        final, starting = _prompted(fused, ids, video, index, year)
        when = When(jnp.asarray(index in video.given), jnp.asarray(True), jnp.int32(time))
        state = commit(state, aux, final, starting, when)
        yield _FusedFrame(index, ids, image, final, starting)


def _refined(
    frames: Iterator[_FusedFrame], refiner: Refiner | None
) -> Iterator[tuple[int, tuple[int, ...], jax.Array, Mapping[str, Any]]]:
    """Yields the index, ids, probabilities and counts of each frame, refined if asked for."""
    if refiner is None:
        for frame in frames:
            yield frame.index, frame.ids, frame.probs, {}
        return
    rows = (
        ((frame.index, frame.ids), frame.image, frame.probs, frame.given)
        for frame in frames
        if frame.image is not None
    )
    for (index, ids), probs, counts in refine_frames(refiner, rows):
        yield index, ids, probs, counts


def inputs(
    runs: Sequence[pathlib.Path],
    video: EvalVideo,
    config: FusionConfig,
    *,
    year: int,
    refined: bool = False,
) -> audit.Digests:
    """Returns digests of everything that decides a video's fused masks.

        inputs([run_a, run_b], video, FusionConfig("mean"), year=2017)

    These are the runs' probabilities and the given masks; for key points and for refinement, the
    frames as well.

    Args:
        runs: folders of runs that kept their probabilities.
        video: a video of the dataset.
        config: how runs are fused.
        year: year of DAVIS, see `videos.read_given`.
        refined: whether the fused masks are refined.

    Raises:
        InputError: a file cannot be read.
    """
    own = audit.inputs(video, year=year) if config.name == "keypoints" or refined else None
    packed = {
        f"the probabilities in {run}": digests.of_files(
            run_folder.files(run, video, ["probabilities"])
        )
        or ""
        for run in runs
    }
    return (own or audit.given_masks(video, year=year)) | packed


def _read(
    runs: Sequence[pathlib.Path], video: EvalVideo, index: int
) -> tuple[npt.NDArray[np.float32], tuple[int, ...]]:
    """Reads the probabilities of a frame in M runs, float32 [M, N+1, H, W], and the ids."""
    frames = [probabilities.read(run_folder.probabilities_file(run, video, index)) for run in runs]
    if len({(probs.shape, ids) for probs, ids in frames}) > 1:
        shapes = "; ".join(
            f"{run}: ids {ids}, {probs.shape[1]}x{probs.shape[2]}"
            for run, (probs, ids) in zip(runs, frames)
        )
        raise InputError(
            f"{video.name}/{video.frames[index]}.npz differs between the runs ({shapes}): fuse "
            "runs of one dataset"
        )
    return np.stack([probs for probs, _ in frames]), frames[0][1]


def _fusion(config: FusionConfig) -> Fusion:
    if config.weights:
        weights = jnp.asarray(config.weights)
        return stateless(lambda probs: jnp.average(probs, 0, weights))
    return ensembles.fusion(config.name, method=config.method)


def _prompted(
    fused: jax.Array, ids: tuple[int, ...], video: EvalVideo, index: int, year: int
) -> tuple[jax.Array, npt.NDArray[np.bool_]]:
    """Lays given objects over fused probabilities; returns both, and which objects start here.

    Objects that start in a later frame get probability 0.
    """
    started = np.array([True, *(video.starts[key] <= index for key in ids)])
    starting = np.array([video.starts[key] == index for key in ids])
    fused = jnp.where(started[:, None, None], fused, 0)
    if starting.any():
        labels, _ = to_slots(read_given(video, index, year=year), (0, *ids))
        fused = apply_prompt(fused, Prompt(jnp.asarray(labels), jnp.asarray(starting)))
    return fused, starting


def check(runs: Sequence[pathlib.Path], config: FusionConfig) -> None:
    """Checks that runs can be fused as asked.

        check([pathlib.Path("a"), pathlib.Path("b")], FusionConfig("mean"))

    Raises:
        InputError: there are no runs, one has no probabilities, there is no such fusion, or the
            weights do not fit.
    """
    if not runs:
        raise InputError("--input is missing; fusing takes --input RUN RUN ... --output DIR")
    ensembles.fusion(config.name, method=config.method)
    if config.weights and (
        config.name != "mean" or len(config.weights) != len(runs) or min(config.weights) <= 0
    ):
        raise InputError(
            f"config.fuse_weights is {config.weights} for {len(runs)} runs fused by "
            f"{config.name}; one weight above 0 a run is expected, with 'mean' only"
        )
    for run in runs:
        if not (run / "probabilities").is_dir():
            raise InputError(
                f"{run} holds no probabilities: run it with --config.eval.probabilities=8 (or 16)"
            )
