"""J of the frames between two given ones, for several ways of combining passes from both sides.

    python -m vosjax.bench.directions DAVIS --second 0.67 --max-short-side 240

DAVIS is a folder with JPEGImages and Annotations. The masks of frame 0 and of a second frame are
given. The frames between them are tracked forward from the first and backward from the second, and
the two passes are combined in several ways:

- `cut`: an object is taken from the pass whose given frame is nearer
  (`tracking.directions.merge`);
- `surer`: an object is taken from the pass with the higher mean probability in its mask, weighted
  linearly by distance;
- `blend`: probabilities are averaged, weighted linearly by distance.

It prints the mean J over objects and frames for each video, and over all objects, and how much each
way differs from `forward`.
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from vosjax.errors import InputError
from vosjax.eval.metrics import region_similarity
from vosjax.io.door import Parser, count, guarded
from vosjax.io.palette import decode_labels
from vosjax.io.terminal import say
from vosjax.io.video import open_video
from vosjax.loading.pretrained import Loaded, load
from vosjax.prompt import apply_prompt
from vosjax.tracking.directions import given_frames, merge
from vosjax.tracking.frame import (
    FrameOutput,
    follow_frame,
    network_size,
    nothing_marked,
    to_network,
)
from vosjax.tracking.labels import to_labels, to_scores
from vosjax.tracking.slots import to_slots
from vosjax.tracking.step import MemoryClock, remembers
from vosjax.types import Prompt, Spec

WAYS = ("forward", "backward", "cut", "surer", "blend")
CAPACITY = 8  # memory frames


class Followed(NamedTuple):
    """The result of a pass in one frame: labels and scores, and probs float16 [N+1, H, W]."""

    output: FrameOutput
    probs: np.ndarray


def follow(model: Loaded, frames: list, mask: np.ndarray, ids: list[int]) -> list[Followed]:
    """Tracks objects through frames from the mask of the first frame.

        results = follow(load(), frames, mask, ids=[1, 2])

    Args:
        model: the network; it needs a slot for each object.
        frames: uint8 [H, W, 3] each.
        mask: uint8 [H, W] of ids, the mask of the first frame.
        ids: the ids of the objects.

    Returns:
        The result of each frame.
    """
    vos, size = model.model.vos, mask.shape
    spec = Spec(*network_size(vos, size, None), len(ids), CAPACITY)
    table = np.array([0, *ids], np.uint8)

    @jax.jit
    def run(params: Any, state: Any, frame: Any, prompt: Prompt, clock: MemoryClock) -> Any:
        features = vos.encode(params, to_network(frame, spec))
        followed = follow_frame(vos, params, state, features, prompt, clock, spec=spec, size=size)
        probs = apply_prompt(followed.probs, prompt)
        return followed.state, probs.astype(np.float16), *to_labels(probs, jnp.asarray(table))

    state, last, results = vos.init(model.params, spec), 0, []
    for time, frame in enumerate(frames):
        prompt = nothing_marked(size, len(ids)) if time else Prompt(*to_slots(mask, table))
        clock = MemoryClock(np.int32(time), np.int32(last), np.int32(model.config["mem_every"]))
        state, probs, labels, stats = run(model.params, state, frame, prompt, clock)
        last = time if remembers(time == 0, time, last, model.config["mem_every"]) else last
        scores = to_scores(np.asarray(stats), {id: slot + 1 for slot, id in enumerate(ids)})
        results.append(Followed(FrameOutput(np.asarray(labels), scores), np.asarray(probs)))
    return results


def joined(
    index: int, forward: Followed, backward: Followed, second: int, ids: Sequence[int]
) -> dict:
    """Combines two passes in a frame between the given frames 0 and `second`: {way: labels}."""
    share = index / second  # position between the two given frames, 0..1
    masks = {frame: np.array([ids], np.uint8) for frame in (0, second)}
    blended = (1 - share) * forward.probs + share * backward.probs
    surer = np.zeros_like(forward.output.labels)
    for id in ids:
        confidences = [
            weight * side.output.scores[id].mean_probability
            for side, weight in ((forward, 1 - share), (backward, share))
        ]
        side = forward if confidences[0] >= confidences[1] else backward
        surer[side.output.labels == id] = id
    return {
        "forward": forward.output.labels,
        "backward": backward.output.labels,
        "cut": merge(index, forward.output, backward.output, given_frames(masks)).labels,
        "surer": surer,
        "blend": np.array([0, *ids], np.uint8)[blended.argmax(0)],
    }


def measure(model: Loaded, data: pathlib.Path, *, second: float, max_short_side: int) -> dict:
    """Measures all ways on all videos; J is averaged over the frames between the given ones.

        table = measure(load(), pathlib.Path("DAVIS"), second=0.67, max_short_side=240)

    Args:
        model: the network.
        data: a folder in the layout of DAVIS.
        second: position of the second given frame, as a share of the video.
        max_short_side: short side in pixels to which frames and ground truth are scaled down.

    Returns:
        {video: {way: J of each object}}.

    Raises:
        InputError: the folder does not exist, or a frame or mask cannot be read.
    """
    if not (data / "JPEGImages").is_dir():
        raise InputError(
            f"there is no folder {data / 'JPEGImages'}: name a dataset folder of DAVIS"
        )
    table = {}
    for folder in sorted((data / "JPEGImages").iterdir()):
        files = sorted((data / "Annotations" / folder.name).glob("*.png"))
        frames = list(open_video(folder).frames())
        if len(files) < len(frames):
            continue
        end = round(second * (len(frames) - 1))
        pairs = [
            _scaled(frame, decode_labels(file), max_short_side)
            for frame, file in zip(frames[: end + 1], files)
        ]
        images, truth = [image for image, _ in pairs], [labels for _, labels in pairs]
        ids = [
            id for id in np.unique(truth[0]).tolist() if 0 < id < 255 and (truth[end] == id).any()
        ]
        marked = [np.where(np.isin(truth[t], ids), truth[t], 0) for t in (0, end)]
        forward = follow(model, images, marked[0], ids)
        backward = follow(model, images[::-1], marked[1], ids)[::-1]
        rows = []
        for t in range(1, end):
            labels = joined(t, forward[t], backward[t], end, ids)
            rows.append(
                [
                    [region_similarity(truth[t] == id, labels[way] == id) for id in ids]
                    for way in WAYS
                ]
            )
        table[folder.name] = dict(zip(WAYS, np.mean(rows, 0)))
    return table


def _scaled(
    frame: np.ndarray, truth: np.ndarray, max_short_side: int
) -> tuple[np.ndarray, np.ndarray]:
    height, width = truth.shape
    ratio = min(1, max_short_side / min(height, width))
    size = 2 * round(width * ratio / 2), 2 * round(height * ratio / 2)
    return (
        cv2.resize(frame, size, interpolation=cv2.INTER_AREA),
        cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    return guarded("directions", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.directions", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--weights")
    parser.add_argument("--second", type=float, default=1.0)
    parser.add_argument("--max-short-side", type=count, default=480)
    options = parser.parse_args(words)
    table = measure(
        load(options.weights),
        options.data,
        second=options.second,
        max_short_side=options.max_short_side,
    )
    say(f"{'video':<20}" + "".join(f"{way:>10}" for way in WAYS))
    for name, row in table.items():
        say(f"{name:<20}" + "".join(f"{100 * row[way].mean():10.1f}" for way in WAYS))
    objects = {way: 100 * np.concatenate([row[way] for row in table.values()]) for way in WAYS}
    say(f"{'mean over objects':<20}" + "".join(f"{objects[way].mean():10.1f}" for way in WAYS))
    gains = {way: objects[way] - objects["forward"] for way in WAYS}
    say(f"{'gain, least':<20}" + "".join(f"{gains[way].min():10.1f}" for way in WAYS))
    say(f"{'gain, greatest':<20}" + "".join(f"{gains[way].max():10.1f}" for way in WAYS))


if __name__ == "__main__":
    sys.exit(main())
