"""Initial weights of a training: random ones, pretrained encoders, or those of a model."""

import contextlib
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from vosjax import backbones
from vosjax.backbones import IMAGE
from vosjax.checkpoints import pth, weights, wrappers
from vosjax.checkpoints.checks import check_finite, check_params, narrowed
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.embedded import weights_folder
from vosjax.checkpoints.npz import read_npz
from vosjax.errors import InputError
from vosjax.types import Model


def params(
    model: Model,
    *,
    seed: int,
    init: str,
    scale: Sequence[tuple[str, float]] = (),
    root: str | os.PathLike[str] = "",
) -> dict:
    """Returns the initial weights of a training, as nested params.

        weights = params(model, seed=0, init="encoder=resnet50.pth")

    Args:
        model: the network.
        seed: seed of the random weights.
        init: '' for random weights, or items separated by commas, each of which replaces weights:
            a folder written by `checkpoints.weights.save_weights` replaces all weights, and
            ENCODER=FOLDER those of one encoder by the folder's, which may be that of another
            network, or the name of embedded weights;
            ENCODER=FILE replaces those of one encoder of `model.pretrained_encoders`, and FILE
            alone those of the only encoder. A `.pth` file is the encoder's published ImageNet
            checkpoint: its classifier is left out, everything else has to fit, and what it lacks
            (input channels for masks, biases) keeps its random values. An `.npz` file holds weights
            with folded norms; several such files are merged.
        scale: pairs (regular expression, factor): every weight in whose path the expression is
            found is multiplied by the factor. If the maps of an encoder are much larger than those
            of the decoder (MobileNetV2's have a standard deviation of 5 to 10), Xavier-initialised
            adapters hide the objects' identities at first, and scaling them down saves hundreds of
            steps.
        root: a further folder in which relative files and folders of `init` are looked for.

    Raises:
        InputError: a file is missing or does not fit, or it is not clear which encoder it is for.
    """
    fresh = jax.tree.map(np.asarray, jax.jit(model.init_params)(jax.random.key(seed)))
    started, folded = dict(fresh), dict[str, Any]()
    for item in filter(None, init.split(",")):
        encoder, path = _addressed(
            item.strip(), [name for name, _ in model.pretrained_encoders], pathlib.Path(root)
        )
        if path.is_dir():
            loaded = weights.load_weights(path)[0]
            if encoder and encoder not in loaded:
                raise InputError(
                    f"train.init names {path} for {encoder}: these weights have {', '.join(loaded)}"
                )
            started = started | {encoder: loaded[encoder]} if encoder else loaded
            continue
        start = dict(model.pretrained_encoders)[encoder]
        try:
            if path.suffix == ".npz":
                folded[encoder] = folded.get(encoder, {}) | read_npz(path)
                encoder_params = _from_folded(folded[encoder], start)
            else:
                encoder_params = _from_imagenet(path, start, started[encoder])
            check_finite(weights.flatten(encoder_params), str(path))
            started = {**started, encoder: encoder_params}
        except ValueError as error:
            raise InputError(f"train.init names {path} for {encoder}: {error}") from error
    flat = weights.flatten(fresh)
    check_params(started, {path: (w.shape, w.dtype) for path, w in flat.items()})
    flat = narrowed(weights.flatten(started), np.float32)
    for pattern, factor in scale:
        matching = [path for path in flat if re.search(pattern, path)]
        if not matching:
            raise InputError(
                f"train.scale has {pattern!r}, which is found in no weight's path; "
                f"paths look like {next(iter(flat))!r}"
            )
        flat |= {path: flat[path] * np.float32(factor) for path in matching}
    return weights.nest(flat)


def _addressed(item: str, encoders: list[str], root: pathlib.Path) -> tuple[str, pathlib.Path]:
    """Parses an item of `init` into an encoder's name ('' with a folder) and a file or folder."""
    named = re.fullmatch(r"(\w+)=(.*)", item)
    encoder, path = named.groups() if named else ("", item)
    path = pathlib.Path(path)
    if not path.exists() and (root / path).exists():
        path = root / path
    elif not path.exists() and encoder in encoders:
        with contextlib.suppress(InputError):
            path = weights_folder(str(path))
    if not path.exists():
        also = "" if root == pathlib.Path() or path.is_absolute() else f" and not in {root} either"
        raise InputError(
            f"train.init names {path}, which does not exist{also}: give a folder of "
            "weights, an encoder's .pth or .npz, or '' to start fresh"
        )
    if path.is_dir() and (not encoder or encoder in encoders):
        return encoder, path
    if not encoder and len(encoders) == 1:
        encoder = encoders[0]
    if encoder not in encoders:
        problem = f"names no encoder for {path}" if not encoder else f"gives {path} to {encoder}"
        raise InputError(
            f"train.init {problem}: this network "
            + (
                f"has {' and '.join(encoders)}; write {encoders[0]}={path}"
                if encoders
                else "has no encoder with published files; give a folder of weights"
            )
        )
    return encoder, path


def _from_folded(arrays: dict[str, np.ndarray], start: backbones.PretrainedEncoder) -> dict:
    if start.folded is None:
        raise InputError(
            "this encoder is not read from an .npz; give a folder of weights or an ImageNet .pth"
        )
    try:
        return start.folded(arrays)
    except InputError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(f"an array in it has another form than expected ({error})") from error


def _from_imagenet(path: pathlib.Path, start: backbones.PretrainedEncoder, present: dict) -> dict:
    """Returns an encoder's weights from a published checkpoint; what it lacks stays as it is."""
    flat = weights.flatten(present)
    expected = {
        name.path: (flat[name.path].shape, flat[name.path].dtype) for name in start.names.entries
    }
    for kernel in start.wider:
        (*sides, _, outputs), dtype = expected[kernel]
        expected[kernel] = (*sides, IMAGE, outputs), dtype
    own = {name.key for name in start.names.entries}
    state = wrappers.state_dict(pth.read_pth(path), own=own)
    arrays = convert(state, start.names, expected=expected)
    for kernel in start.wider:
        arrays[kernel] = np.concatenate([arrays[kernel], flat[kernel][:, :, IMAGE:]], 2)
    return weights.nest(flat | arrays)
