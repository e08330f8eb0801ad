"""`--mode convert`: a published PyTorch checkpoint becomes a folder of weights, without PyTorch."""

import pathlib

import jax

from vosjax import models
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.pth import read_pth, state_dict
from vosjax.checkpoints.weights import flatten, nest, save_weights
from vosjax.errors import InputError


def run(config, options) -> int:
    """Converts `options.input` to the folder `options.output`, strictly.

    Raises:
      InputError: a file that cannot be read or holds anything but arrays, or a tensor that is
        missing, unknown or of another shape; all of them are named.
    """
    for name in ("input", "output"):
        if getattr(options, name) is None:
            raise InputError(
                f"--{name} is missing; converting takes --input FILE and --output FOLDER"
            )
    if not config.get("family"):
        raise InputError(
            "this config names no network: take the one that the checkpoint is of, "
            "for example configs/aot_r50.py"
        )
    model = models.build(config.family, **config.model)
    shapes = flatten(jax.eval_shape(model.init_params, jax.random.PRNGKey(0)))
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in shapes.items()}
    source = pathlib.Path(options.input)
    flat = convert(state_dict(read_pth(source)), model.checkpoint_names, expected=expected)
    settings = {"model": config.model.to_dict()}
    for name in ("gap", "limit"):
        if config.get(name) is not None:
            settings[name] = config[name]
    card = save_weights(
        options.output,
        nest(flat),
        card={
            "family": config.family,
            "config": settings,
            "source": f"converted from {source.name}",
            "licence": "that of the checkpoint",
        },
    )
    count = sum(array.size for array in flat.values())
    print(
        f"{source.name}: {len(flat)} tensors, {count:,} numbers, sha256 {card['sha256'][:12]}; "
        f"weights in {options.output}"
    )
    return 0
