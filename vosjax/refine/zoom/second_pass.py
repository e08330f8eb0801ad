"""The second segmentation: any network over the enlarged crops of a clip, forward or backward."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from vosjax.compose.groups import groups
from vosjax.loading.pretrained import Loaded
from vosjax.prompt import apply_prompt
from vosjax.refine.zoom.choose import LONGEST, SHORT_SIDE
from vosjax.schema import NEVER
from vosjax.tracking.frame import follow_frame, network_size, nothing_marked, to_network
from vosjax.tracking.step import MemoryClock, remembers
from vosjax.types import Prompt, Spec, Vos

PROMPTS = 8  # annotated crops that the memory has room for besides the remembered ones


class CropNetwork(NamedTuple):
    """A network that is ready for crops; one program serves all clips of a number of objects.

    vos             the network, with room for all objects
    params          its weights
    spec            the Spec of its state; its height and width are the size of the crops
    mem_every       frames from one remembered frame to the next
    max_prompts     annotated frames of a clip, at most; they are kept in memory throughout
    """

    vos: Vos
    params: Any
    spec: Spec
    mem_every: int
    max_prompts: int


class CropFrame(NamedTuple):
    """An enlarged crop, and what the network is told about it.

    image     uint8 [h, w, 3] RGB of the network's size
    labels    uint8 [h, w] of slots 1..N that mark the `given` objects; None without any
    given     the slots that are marked
    remember  whether the memory may hold the frame; annotated ones are remembered in any case
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8] | None = None
    given: tuple[int, ...] = ()
    remember: bool = True


def crop_network(model: Loaded, objects: int) -> CropNetwork:
    """Prepares a model, or an ensemble, for crops.

        network = crop_network(vosjax.load(), objects=3)

    The network sees a crop at the size that its own rule gives for a square of 480 pixels.

    Args:
        model: of `load` or `ensembles.of_config`.
        objects: number of the video's objects.
    """
    vos, config = model.model.vos, model.config
    group = min(objects, vos.slots or objects)
    count = math.ceil(objects / group)
    height, width = network_size(vos, (SHORT_SIDE, SHORT_SIDE), None)
    remembered = math.ceil(LONGEST / config["mem_every"]) + PROMPTS
    capacity = max(min(remembered, config["max_mem_frames"]), 2)
    return CropNetwork(
        groups(vos._replace(slots=group), count) if count > 1 else vos._replace(slots=group),
        model.params,
        Spec(height, width, objects, capacity),
        config["mem_every"],
        min(PROMPTS, capacity - 1),
    )


def segment_crops(
    network: CropNetwork, frames: Iterable[CropFrame]
) -> Iterator[npt.NDArray[np.float32]]:
    """Segments crops one after the other, in the order in which they are given.

        probs = list(segment_crops(network, [permanent, *frames]))

    The frames may come from anywhere in a video, in either direction: a crop of the annotated frame
    comes first, and stays in memory. At most `max_prompts` frames may mark objects.

    Args:
        network: of `crop_network`.
        frames: the crops.

    Yields:
        float32 [N+1, h, w], probabilities of the background and all slots; marked objects are
        exactly as marked.
    """
    start, run = _programs(network.vos, network.spec)
    state, last = start(network.params), 0
    size, slots = (network.spec.height, network.spec.width), network.spec.objects
    for time, frame in enumerate(frames):
        prompt, mem_every = nothing_marked(size, slots), NEVER
        if frame.labels is not None and frame.given:
            given = np.isin(np.arange(1, slots + 1), frame.given)
            prompt = Prompt(frame.labels.astype(np.int32), given)
        if frame.remember:
            mem_every = network.mem_every
        clock = MemoryClock(np.int32(time), np.int32(last), np.int32(mem_every))
        state, probs = run(network.params, state, frame.image, prompt, clock)
        if remembers(bool(np.any(prompt.given)), time, last, mem_every):
            last = time
        yield np.asarray(probs)


@functools.lru_cache(maxsize=16)
def _programs(vos: Vos, spec: Spec) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compiled functions: an empty state, and one frame."""
    size = spec.height, spec.width

    def start(params: Any) -> Any:
        return vos.init(params, spec)

    def run(
        params: Any, state: Any, image: jax.Array, prompt: Prompt, clock: MemoryClock
    ) -> tuple[Any, jax.Array]:
        features = vos.encode(params, to_network(image, spec), None)
        followed = follow_frame(vos, params, state, features, prompt, clock, spec=spec, size=size)
        return followed.state, apply_prompt(followed.probs, prompt)

    return jax.jit(start), jax.jit(run, donate_argnums=1)
