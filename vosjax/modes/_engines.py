"""What of a config an evaluation computes with: engines, batches, weights, and its memory."""

from typing import Any

import jax

from vosjax.compose.combinators import mean
from vosjax.config import Config
from vosjax.eval import dataset
from vosjax.eval.config import EvalConfig
from vosjax.eval.engine import Engine
from vosjax.eval.programs import Packing
from vosjax.loading import ensembles
from vosjax.loading.ensembles import Part
from vosjax.loading.pretrained import Loaded
from vosjax.refine.refiner import Refiner


def memory_of(config: Config, network: Loaded) -> dataset.Memory:
    """When frames are remembered: as the config says, else as the model does.

    memory_of(config, load(config)).mem_every       # 5
    """
    return dataset.Memory(
        config.mem_every or network.config["mem_every"],
        config.max_mem_frames or network.config["max_mem_frames"],
        config.balance,
        config.balance_low,
        config.balance_high,
    )


def weights_of(config: Config) -> str | dict[str, str]:
    """What the config names as weights: of an ensemble those of every member, by its name.

    weights_of(opened("aot:r50"))
    """
    if config.members:
        return {name: member.weights for name, member in config.members.items()}
    return config.weights


def make_engines(config: Config, network: Loaded, refiner: Refiner | None = None) -> list[Engine]:
    """One engine a device; one over all devices where the views are spread.

        engines = make_engines(config, load(config))

    Raises:
      InputError: views that cannot be spread.
    """
    devices, evaluation = jax.local_devices(), config.eval
    chunk = evaluation.chunk or (8 if _accelerated() else 1)
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
    """Most videos side by side; where the config leaves it open, 4 on an accelerator, else 1.

    batch_of(EvalConfig(batch=8))       # 8
    """
    return evaluation.batch or (4 if _accelerated() else 1)


def _accelerated() -> bool:
    return jax.local_devices()[0].platform != "cpu"
