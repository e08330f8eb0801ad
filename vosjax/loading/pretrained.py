"""Loads networks with their weights: the embedded default, or a folder in the project's format."""

import copy
import os
import pathlib
import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import jax
import numpy as np

from vosjax import models
from vosjax.checkpoints.card import card_config
from vosjax.checkpoints.checks import check_params, narrowed
from vosjax.checkpoints.embedded import weights_folder
from vosjax.checkpoints.paths import flatten, nest
from vosjax.checkpoints.weights import CARD, load_weights
from vosjax.compile_cache import compile_cache
from vosjax.errors import InputError
from vosjax.layers.dtypes import DTYPES
from vosjax.layers.precision import cast
from vosjax.loading.config import WeightsConfig, modern_model
from vosjax.types import Model

# Defaults of the settings that are not those of a family's `build`.
OUTSIDE = {"mem_every": 5, "max_mem_frames": 32, "dtype": WeightsConfig.dtype}


class Loaded(NamedTuple):
    """A model with its weights, ready to use.

    model   the network, see `types.Model`
    params  its weights on the device, in the config's dtype (`layers.precision`)
    card    what is known about the weights: family, config, source, licence, sha256, and
            `objects`, the number of identities that they were trained with, which limits
            `model.vos.slots`
    config  {'family': str, 'model': the settings of its `build`, 'mem_every': int,
            'max_mem_frames': int, 'dtype': 'float32' or 'bfloat16'}
    """

    model: Model
    params: Any
    card: dict
    config: dict

    def __copy__(self) -> "Loaded":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Loaded":
        """Copies card and config; functions and weights are never changed, so they are shared."""
        return self._replace(card=copy.deepcopy(self.card), config=copy.deepcopy(self.config))

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError(
            "a model holds functions, which pickle cannot store: hand the folder of its weights "
            "over, and call vosjax.load(folder) there"
        )


def load(source: str | os.PathLike | None = None, **overrides: Any) -> Loaded:
    """Loads a network with its weights.

        model = load("weights/aot_r50", mem_every=3)

    Args:
        source: a folder with weights.safetensors and card.json, as `--mode convert` and training
            write them, or the name of embedded weights; None takes the embedded default.
        **overrides: 'mem_every' (frames from one remembered frame to the next), 'max_mem_frames'
            (most remembered frames), 'dtype' ('float32' or 'bfloat16'), or settings of the family's
            `build` that change no weight, for example `top_k=64`.

    Raises:
        InputError: the weights are missing or damaged; an override is unknown to the family, or
            would need other weights.
    """
    compile_cache()
    folder = weights_folder(source)
    params, card = load_weights(folder)
    config = _of_card(folder, card)
    changed = _changed(config, overrides)
    return assemble(changed, params, card, as_saved=changed["model"] == config["model"])


def configure(model: Loaded, **overrides: Any) -> Loaded:
    """Returns the same weights with other settings; these are the `overrides` of `load`.

    model = configure(load(), mem_every=3)
    """
    config = _changed(model.config, overrides)
    if all(config[name] == model.config[name] for name in ("model", "dtype")):
        return model._replace(config=config)
    return assemble(config, model.params, model.card)


def _of_card(folder: pathlib.Path, card: dict[str, Any]) -> dict[str, Any]:
    """Returns the config of `Loaded` that a card describes, after checking that it can be built."""
    card_settings = card_config(card)
    config = {"family": card["family"], "model": modern_model(card_settings.model or {}), **OUTSIDE}
    for name in ("mem_every", "max_mem_frames"):
        if getattr(card_settings, name) is not None:
            config[name] = getattr(card_settings, name)
    try:
        models.build(config["family"], **config["model"])
    except InputError as error:
        raise InputError(
            f"{folder / CARD} describes no network of this version: {error}; correct its fields "
            "family and config.model, or convert the weights again"
        ) from error
    return config


def _changed(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    outside = {name: value for name, value in overrides.items() if name in OUTSIDE}
    inside = {name: value for name, value in overrides.items() if name not in OUTSIDE}
    return {**config, **outside, "model": config["model"] | inside}


def assemble(config: dict, params: Any, card: dict, *, as_saved: bool = False) -> Loaded:
    """Builds the network of a config and checks that the weights fit it.

        model = assemble(config, params, card)

    Args:
        config: as in `Loaded`.
        params: the weights, nested dicts of arrays.
        card: what is known about them.
        as_saved: whether these are the settings that the weights were saved with. Then only the
            names of the weights are checked, since their shapes are known only after tracing the
            network.

    Raises:
        InputError: the family or a setting is unknown, or the weights are those of another network;
            the message names what differs.
    """
    model = _built(config)
    flat = flatten(params)
    if as_saved:
        known = {name.path for name in model.checkpoint_names.entries}
        check_params(
            flat, {path: _form(flat[path]) if path in flat else ((), "") for path in known}
        )
    else:
        shapes = flatten(jax.eval_shape(model.init_params, jax.random.PRNGKey(0)))
        check_params(flat, {path: _form(leaf) for path, leaf in shapes.items()})
    return Loaded(_within(model, card), _on_device(params, config["dtype"]), card, config)


def _built(config: dict[str, Any]) -> Model:
    if config["dtype"] not in DTYPES:
        raise InputError(f"dtype is {config['dtype']!r}; there are {', '.join(DTYPES)}")
    return models.build(config["family"], **config["model"])


def _form(leaf: Any) -> tuple:
    return leaf.shape, leaf.dtype


def _on_device(params: Any, dtype: str) -> Any:
    """Casts the weights by NumPy, as the device would compile a program for every shape."""
    kinds = flatten(jax.eval_shape(lambda: cast(params, dtype)))
    flat: dict[str, Any] = {}
    for path, leaf in flatten(params).items():
        flat |= narrowed({path: np.asarray(leaf)}, kinds[path].dtype)
        flat[path] = flat[path].astype(kinds[path].dtype, copy=False)  # for integers
    return jax.device_put(nest(flat))


def _within(model: Model, card: dict) -> Model:
    """Limits the slots of a model to the identities that its weights were trained with.

    A network with ten slots cannot track an object in an identity that no training clip used.
    `compose.groups` makes room for more objects.
    """
    trained, slots = card.get("objects"), model.vos.slots
    if trained is None:
        return model
    if not isinstance(trained, int) or isinstance(trained, bool) or trained < 1:
        raise InputError(
            f"the weights' card says objects = {trained!r}: the number of identities "
            "that they were trained with is expected, at least 1"
        )
    return model._replace(vos=model.vos._replace(slots=min(trained, slots or trained)))


def single_network(config: WeightsConfig, **changes: Any) -> Loaded:
    """Loads the network of a config with the weights that its field `weights` names.

        model = single_network(NetworkConfig(weights="default"))

    Args:
        config: the config of one network.
        **changes: overrides of 'mem_every', 'max_mem_frames' and 'dtype'; None changes nothing.

    Raises:
        InputError: the config names no weights, or those of another network.
    """
    if not config.weights:
        raise InputError(
            "this config has no weights: name a folder by --config.weights=FOLDER "
            "(made by --mode convert or training), or take configs/base.py, whose "
            "weights are embedded"
        )
    changes = {name: value for name, value in changes.items() if value is not None}
    if not config.family:
        return load(config.weights, **changes, **config.settings)
    compile_cache()
    settings = {"family": config.family, "model": dict(config.settings), **OUTSIDE, **changes}
    _built(settings)  # so that an error in the config is not blamed on the weights
    params, card = load_weights(weights_folder(config.weights))
    try:
        return assemble(settings, params, card)
    except InputError as error:
        raise InputError(
            f"the weights {config.weights} ({card['family']}, {card['config']}) are not those "
            f"of this config ({config.family}, {dict(config.settings)}): {error}"
        ) from error


def fresh(config: dict, *, seed: int = 0) -> Loaded:
    """Builds the network of a config with random weights, for timing and tests.

        fresh({"family": "aot", "model": {"encoder": "resnet:50", "layers": 3}})

    Args:
        config: as in `Loaded`; 'family' and 'model' suffice.
        seed: seed of the weights.
    """
    compile_cache()
    model = models.build(config["family"], **config["model"])
    params = jax.jit(model.init_params)(jax.random.PRNGKey(seed))
    config = OUTSIDE | config
    card = {"source": "random weights", "sha256": ""}
    return Loaded(model, cast(params, config["dtype"]), card, config)
