"""Networks with their weights: the embedded default, or any folder of the project's format."""

import importlib.resources
import os
import pathlib
from typing import Any, NamedTuple

import jax

from vosjax import models
from vosjax.checkpoints.weights import CARD, check_params, flatten, load_weights
from vosjax.errors import InputError
from vosjax.layers.precision import cast
from vosjax.types import Model

DEFAULT = "default"  # folder of the embedded weights, below vosjax/weights
GAP = 5  # frames between two remembered ones, where a card names none
LIMIT = 32  # memory frames, likewise
DTYPE = "float32"  # what networks compute in; 'bfloat16' halves weights and memory
OUTSIDE = ("gap", "limit", "dtype")  # settings that are not those of a family's `build`


class Loaded(NamedTuple):
    """A model, ready to use.

    model   `types.Model`
    params  its weights on the device, in the config's dtype (`layers.precision`)
    card    what is known of the weights: family, config, source, licence, sha256, and `objects`,
          the identities that they were trained with, which `model.vos.slots` keeps to
    config  {'family': str, 'model': the settings of its `build`, 'gap': int, 'limit': int,
            'dtype': 'float32' or 'bfloat16'}
    """

    model: Model
    params: Any
    card: dict
    config: dict


def load(source: str | os.PathLike | None = None, **overrides) -> Loaded:
    """Loads a network with its weights.

    Args:
      source: a folder with weights.safetensors and card.json (as `--mode convert` and training
        write them), or the name of embedded weights; None takes the embedded default.
      **overrides: 'gap', 'limit', 'dtype' ('float32' or 'bfloat16') or settings of the family's
        `build` that change no weight, for example `top_k=64`.

    Raises:
      InputError: no such weights, or damaged ones; an override that the family does not know or
        that asks for other weights.
    """
    compile_cache()
    params, card = load_weights(_folder(source))
    known = card["config"] if isinstance(card["config"], dict) else {}
    config = {
        "family": card["family"],
        "model": dict(known.get("model") or {}),
        "gap": known.get("gap") or GAP,
        "limit": known.get("limit") or LIMIT,
        "dtype": DTYPE,
    }
    return assemble(_changed(config, overrides), params, card)


def configure(model: Loaded, **overrides) -> Loaded:
    """The same weights with other settings, as the `overrides` of `load`."""
    return assemble(_changed(model.config, overrides), model.params, model.card)


def _changed(config, overrides):
    config = config | {"model": dict(config["model"])}
    for name, value in overrides.items():
        place = config if name in OUTSIDE else config["model"]
        place[name] = value
    return config


def assemble(config: dict, params: Any, card: dict) -> Loaded:
    """The network of a config with given weights (nested dicts of arrays), checked against it.

    Raises:
      InputError: an unknown family or setting, or weights of another network; the message names
        what differs.
    """
    try:
        model = models.build(config["family"], **config["model"])
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    shapes = jax.eval_shape(model.init_params, jax.random.PRNGKey(0))
    check_params(params, {path: (leaf.shape, leaf.dtype) for path, leaf in flatten(shapes).items()})
    return Loaded(_within(model, card), _cast(params, config), card, config)


def _within(model: Model, card: dict) -> Model:
    """The model with no more slots than identities that its weights were trained with.

    A network that holds ten objects follows none on an identity that no training clip used;
    `compose.groups` makes room for more.
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


def of_config(config) -> Loaded:
    """The network that a recipe of `configs/` names, with the weights in its field `weights`.

    Raises:
      InputError: no weights were named, or those of another network.
    """
    source, family = config.get("weights"), config.get("family")
    if not source:
        raise InputError(
            "this config has no weights: name a folder by --config.weights=FOLDER "
            "(made by --mode convert or training), or take configs/base.py, whose "
            "weights are embedded"
        )
    changes = {
        name: config.get(name) for name in (*OUTSIDE, "top_k") if config.get(name) is not None
    }
    if not family:
        return load(source, **changes)
    compile_cache()
    params, card = load_weights(_folder(source))
    settings = {
        "family": family,
        "model": dict(config.model),
        "gap": GAP,
        "limit": LIMIT,
        "dtype": DTYPE,
    }
    try:
        return assemble(_changed(settings, changes), params, card)
    except InputError as error:
        raise InputError(
            f"the weights {source} ({card['family']}, {card['config']}) are not those "
            f"of this config: {error}"
        ) from error


def fresh(config: dict, *, seed: int = 0) -> Loaded:
    """The network of a config with random weights: for timing and tests, it segments nothing."""
    compile_cache()
    model = models.build(config["family"], **config["model"])
    params = jax.jit(model.init_params)(jax.random.PRNGKey(seed))
    config = {"gap": GAP, "limit": LIMIT, "dtype": DTYPE} | config
    return Loaded(model, _cast(params, config), {"source": "random weights", "sha256": ""}, config)


def _cast(params, config):
    try:
        return cast(params, config["dtype"])
    except ValueError as error:
        raise InputError(str(error)) from error


def _folder(source) -> pathlib.Path:
    embedded = pathlib.Path(str(importlib.resources.files("vosjax"))) / "weights"
    name = DEFAULT if source is None else str(source)
    path = pathlib.Path(name).expanduser()
    if source is not None and (path / CARD).is_file():
        return path
    if (embedded / name / CARD).is_file():
        return embedded / name
    known = sorted(found.parent.name for found in embedded.glob(f"*/{CARD}"))
    raise InputError(
        f"no weights at {name}: a folder with {CARD} is expected"
        + (
            f", or one of the embedded: {', '.join(known)}"
            if known
            else " (no weights are embedded in this copy)"
        )
    )


def compile_cache() -> None:
    """Keeps compiled programs on disk between runs, unless a place was chosen already.

    They go to $VOSJAX_CACHE, else ~/.cache/vosjax (below $XDG_CACHE_HOME); VOSJAX_CACHE=off keeps
    nothing. JAX's own JAX_COMPILATION_CACHE_DIR wins.
    """
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    place = os.environ.get("VOSJAX_CACHE") or pathlib.Path(home) / "vosjax"
    if place == "off" or jax.config.jax_compilation_cache_dir:
        return
    try:
        pathlib.Path(place).mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written only costs time
        return
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
