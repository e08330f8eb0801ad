"""`--mode convert`: a published PyTorch checkpoint becomes a folder of weights, without PyTorch."""

import json
import pathlib

import jax

from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.paths import flatten, nest
from vosjax.checkpoints.pth import read_pth
from vosjax.checkpoints.weights import CARD, save_weights
from vosjax.checkpoints.wrappers import state_dict
from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.names import printable, some
from vosjax.io.terminal import say
from vosjax.loading import networks
from vosjax.modes import Options
from vosjax.runs import record

FLAGS = ("input", "output")
FIELDS = ("family", "model", "mem_every", "max_mem_frames")
ALSO = ("top_k",)


def run(config: Config, options: Options) -> int:
    """Converts `options.input` to the folder `options.output`, strictly.

        code = run(opened("aot:r50"), Options(inputs=("R50_AOTL.pth",), output="weights/aot_r50"))

    Args:
        config: the config of the network that the checkpoint belongs to.
        options: the command's flags.

    Returns:
        The exit code 0.

    Raises:
        InputError: the file cannot be read or holds anything but arrays; or tensors are missing,
            unknown or of another shape, all of which are named.
    """
    for name in ("input", "output"):
        if getattr(options, name) is None:
            raise InputError(
                f"--{name} is missing; converting takes --input FILE and --output FOLDER"
            )
    assert options.output is not None  # was looked at above
    if not config.family:
        raise InputError(
            "this config names no network: take the one that the checkpoint is of, "
            "for example configs/aot.py:r50"
        )
    _check_folder(pathlib.Path(options.output))
    source = pathlib.Path(options.inputs[0])
    network = networks.build(config.family, **config.settings)
    own = {name.key for name in network.checkpoint_names.entries}
    state = state_dict(read_pth(source), own=own)
    shapes = flatten(jax.eval_shape(network.init_params, jax.random.PRNGKey(0)))
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in shapes.items()}
    flat = convert(state, network.checkpoint_names, expected=expected)
    settings = {"model": config.settings}
    for name in ("mem_every", "max_mem_frames"):
        if getattr(config, name) is not None:
            settings[name] = getattr(config, name)
    card = save_weights(
        options.output,
        nest(flat),
        card={
            "family": config.family,
            "config": settings,
            "source": f"converted from {printable(source.name)}",
            "licence": "that of the checkpoint",
        },
    )
    count = sum(array.size for array in flat.values())
    say(
        f"{source.name}: {len(flat)} tensors, {count:,} numbers, sha256 {card['sha256'][:12]}; "
        f"weights in {options.output}"
    )
    return 0


def _check_folder(folder: pathlib.Path) -> None:
    """Raises InputError unless a folder is empty or new, or holds weights of ours."""
    others = record.strange(folder)
    if others and not _has_card(folder):
        raise InputError(
            f"{folder} holds other files ({some(others)}), and no weights of ours: name a new or "
            "empty folder as --output"
        )


def _has_card(folder: pathlib.Path) -> bool:
    """Whether a folder has a card as `save_weights` writes it."""
    try:
        card = json.loads((folder / CARD).read_bytes())
        return {"format", "sha256"} <= card.keys()
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
