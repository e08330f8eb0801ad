"""Any network, ready to segment enlarged crops one after the other (`refine.zoom`)."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from vosjax.compose.groups import groups
from vosjax.loading.pretrained import Loaded
from vosjax.prompt import apply_prompt
from vosjax.refine.zoom.choose import LONGEST, SHORT_SIDE
from vosjax.refine.zoom.segmenter import CropFrame, CropSegmenter
from vosjax.schema import NEVER
from vosjax.tracking.frame import follow_frame, network_size, nothing_marked, to_network
from vosjax.tracking.step import MemoryClock, remembers
from vosjax.types import Prompt, Spec, Vos

PROMPTS = 8  # annotated crops that the memory has room for besides the remembered ones


def crop_segmenter(model: Loaded, objects: int) -> CropSegmenter:
    """Prepares a model, or an ensemble, for the crops of a video with so many objects.

        segmenter = crop_segmenter(vosjax.load(), objects=3)
        probs = list(segmenter.segment([permanent, *frames]))

    The network sees a crop at the size that its own rule gives for a square of 480 pixels. One
    program serves all clips of videos with the same number of objects.

    Args:
        model: of `load` or `ensembles.composed_network`.
        objects: number of the video's objects N.
    """
    vos, config = model.model.vos, model.config
    group = min(objects, vos.slots or objects)
    network = groups(vos._replace(slots=group), math.ceil(objects / group))
    size = network_size(vos, (SHORT_SIDE, SHORT_SIDE), None)
    remembered = math.ceil(LONGEST / config["mem_every"]) + PROMPTS
    capacity = max(min(remembered, config["max_mem_frames"]), 2)
    spec = Spec(*size, objects, capacity)

    def segment(frames: Iterable[CropFrame]) -> Iterator[npt.NDArray[np.float32]]:
        start, run = _programs(network, spec)
        state, last = start(model.params), 0
        for time, frame in enumerate(frames):
            prompt, mem_every = nothing_marked(size, objects), NEVER
            if frame.labels is not None and frame.given:
                given = np.isin(np.arange(1, objects + 1), frame.given)
                prompt = Prompt(frame.labels.astype(np.int32), given)
            if frame.remember:
                mem_every = config["mem_every"]
            clock = MemoryClock(np.int32(time), np.int32(last), np.int32(mem_every))
            state, probs = run(model.params, state, frame.image, prompt, clock)
            if remembers(bool(np.any(prompt.given)), time, last, mem_every):
                last = time
            yield np.asarray(probs)

    return CropSegmenter(segment, size, min(PROMPTS, capacity - 1))


@functools.lru_cache(maxsize=16)
def _programs(vos: Vos, spec: Spec) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compiled functions: an empty state, and one frame."""
    size = spec.height, spec.width

    def start(params: Any) -> Any:
        return vos.init(params, spec)

    def run(
        params: Any, state: Any, image: jax.Array, prompt: Prompt, clock: MemoryClock
    ) -> tuple[Any, jax.Array]:
        small = to_network(image, spec)
        with jax.named_scope("encode"):
            features = vos.encode(params, small, None)
        followed = follow_frame(vos, params, state, features, prompt, clock, spec=spec, size=size)
        return followed.state, apply_prompt(followed.probs, prompt)

    return jax.jit(start), jax.jit(run, donate_argnums=1)
