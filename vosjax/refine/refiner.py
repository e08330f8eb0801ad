"""A stage of single frames with its weights, loaded as the config says, and its programs."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from vosjax.compile_cache import compile_cache
from vosjax.refine.boundary.network import build, load_network
from vosjax.refine.boundary.stage import BoundarySettings, as_reference, boundary_stage
from vosjax.refine.config import RefineConfig
from vosjax.types import Array, FrameStage

Counts = dict[str, int]
Program = Callable[[Any, Array, Array, Array], tuple[jax.Array, dict[str, jax.Array]]]


class Refiner(NamedTuple):
    """A stage and what it needs.

    stage     the stage, which is hashable: programs are compiled once for each
    params    the weights of its network
    settings  what decides its results, for records: the weights, their sha256, and how it is used
    """

    stage: FrameStage
    params: Any
    settings: dict[str, Any]


def load_refiner(config: RefineConfig) -> Refiner | None:
    """Loads the stage of single frames that a config asks for.

        refiner = load_refiner(RefineConfig(boundary="weights/bpr_w18"))

    Returns:
        The stage, or None where the config asks for none.

    Raises:
        InputError: there are no such weights, or those of another network.
    """
    if not config.boundary:
        return None
    compile_cache()
    _, params, card = load_network(config.boundary)
    settings = BoundarySettings(
        config.boundary_threshold, config.boundary_strength, config.boundary_min_area
    )
    if config.boundary_reference:
        settings = as_reference(config.boundary_threshold)
    stage = _stage(json.dumps(card["config"].get("model") or {}, sort_keys=True), settings)
    facts = {
        "boundary": config.boundary,
        "boundary_sha256": card.get("sha256", ""),
        **{f"boundary_{name}": value for name, value in settings._asdict().items()},
    }
    return Refiner(stage, jax.device_put(params), facts)


@functools.lru_cache(maxsize=4)
def _stage(model: str, settings: BoundarySettings) -> FrameStage:
    """One stage for the same settings, so that its programs are compiled once in a process.

    The last batch of a frame is filled up: small batches waste little, large ones fill a GPU.
    """
    return boundary_stage(build(**json.loads(model)), settings, batch=8 if _on_cpu() else 64)


class StagePrograms(NamedTuple):
    """The functions of a `FrameStage`, compiled: `begin`, `cut`, `paste` and `end` once for each
    size of frames and number of objects, `answer`, which holds the network, once for all of them.

    `paste` takes the memory of the work that it is given.
    """

    begin: Callable[..., tuple[Any, Any]]
    cut: Callable[..., Any]
    answer: Callable[[Any, Any], Any]
    paste: Callable[..., Any]
    end: Callable[[Any, Any], tuple[jax.Array, dict[str, jax.Array]]]


@functools.lru_cache(maxsize=16)
def stage_programs(stage: FrameStage) -> StagePrograms:
    """Compiles the functions of a stage.

        begin, cut, answer, paste, end = stage_programs(stage)

    Args:
        stage: the stage.
    """
    named = jax.named_scope("refine")
    return StagePrograms(
        jax.jit(named(stage.begin)),
        jax.jit(named(stage.cut)),
        jax.jit(named(stage.answer)),
        jax.jit(named(stage.paste), donate_argnums=1),
        jax.jit(named(stage.end)),
    )


@functools.lru_cache(maxsize=16)
def refine_program(stage: FrameStage) -> Program:
    """Compiles a stage for frames of any size, once for each.

        probs, counts = refine_program(stage)(params, frame, probs, given)

    The arguments and results are those of `FrameStage.refine`. On accelerators this is one program.
    On the CPU, where a loop inside a program uses one thread, batches are counted on the host, so
    that the call waits for the number of patches.

    Args:
        stage: the stage.
    """
    if not _on_cpu():
        return jax.jit(jax.named_scope("refine")(stage.refine))
    begin, cut, answer, paste, end = stage_programs(stage)
    nothing = stage.empty()

    def refine(
        params: Any, frame: Array, probs: Array, given: Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        fixed, work = begin(params, frame, probs, given)
        for _ in range(0, int(stage.left(work)), stage.size):
            batch = cut(fixed, work, nothing, 0)
            work = paste(fixed, work, batch, answer(params, batch), 0)
        return end(fixed, work)

    return refine


def added(total: Mapping[str, int], counts: Mapping[str, Any]) -> Counts:
    """Adds the counts of a frame to those of the frames before.

        total = added(total, counts)

    Args:
        total: {name: how many}; {} to begin with.
        counts: {name: int32}, of `FrameStage.end`, or another total.
    """
    names = [*total, *(name for name in counts if name not in total)]
    return {name: total.get(name, 0) + int(np.asarray(counts.get(name, 0))) for name in names}


def counts_line(refiner: Refiner, counts: Mapping[str, int]) -> str:
    """Puts what a stage counted in one line; what did not occur is left out.

        say(counts_line(refiner, {"patches": 120, "small_objects": 3}))
        # refinement: 120 patches refined, 3 objects below boundary_min_area

    Args:
        refiner: the stage.
        counts: {name: how many}.
    """
    parts = [f"{counts[name]} {words}" for name, words in refiner.stage.counted if counts.get(name)]
    return f"refinement: {', '.join(parts) or 'nothing to refine'}"


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
