"""Makes what an evaluation needs, by its config: engines and batches."""

from typing import Any

import jax

from vosjax.compose.combinators import mean
from vosjax.config import Config
from vosjax.eval.config import EvalConfig
from vosjax.eval.engine import Engine
from vosjax.eval.programs import Packing
from vosjax.loading import ensembles
from vosjax.loading.ensembles import Part
from vosjax.loading.pretrained import Loaded
from vosjax.refine.refiner import Refiner


def make_engines(config: Config, network: Loaded, refiner: Refiner | None = None) -> list[Engine]:
    """Makes one engine per device, or one for all devices if they share the views.

        engines = make_engines(config, load(config))

    Args:
        config: the config.
        network: the network that it describes.
        refiner: refines the fused probabilities, or None.

    Raises:
        InputError: the views cannot be divided among the devices.
    """
    devices, evaluation = jax.local_devices(), config.eval
    chunk = evaluation.chunk or (8 if _on_gpu() else 1)
    packing = (
        Packing(evaluation.probabilities, evaluation.scale) if evaluation.probabilities else None
    )
    common: dict[str, Any] = dict(
        chunk=chunk, max_short_side=config.max_short_side, packing=packing, refiner=refiner
    )
    if evaluation.spread:
        apart = ensembles.parts(config)
        return [Engine(apart.parts, fuse=apart.fuse, devices=devices, **common)]
    whole = [Part(network.model.vos, network.params, 0)]
    return [Engine(whole, fuse=mean, devices=[device], **common) for device in devices]


def batch_of(evaluation: EvalConfig) -> int:
    """Returns how many videos may run side by side; by default 4 on a GPU, else 1.

        batch_of(EvalConfig(batch=8))       # 8

    Args:
        evaluation: the config's `eval`.
    """
    return evaluation.batch or (4 if _on_gpu() else 1)


def _on_gpu() -> bool:
    # A TPU keeps the maps of one frame in its own memory, and those of many pass through the main
    # memory (docs/accelerators.md); on CPUs batches gain nothing.
    return jax.local_devices()[0].platform == "gpu"
