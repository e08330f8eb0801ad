"""Weights and arrays of the DiMP goldens in the layouts of `vosjax.boxes`."""

import numpy as np

from support import backbone_goldens as goldens

OPTIMISER = "classifier.filter_optimizer."
KEYS = {  # our names of the target model's weights -> the reference's
    "label": f"{OPTIMISER}label_map_predictor.weight",
    "mask": f"{OPTIMISER}target_mask_predictor.0.weight",
    "weight": f"{OPTIMISER}spatial_weight_predictor.weight",
    "log_step": f"{OPTIMISER}log_step_length",
    "regularisation": f"{OPTIMISER}filter_reg",
}


def state_dict(matching=""):
    """The state dict of the goldens' dimp50.pth, or the part whose keys hold `matching`."""
    manifest = goldens.manifest("dimp/manifest_dimp50.json")
    chosen = {key: form for key, form in manifest.items() if matching in key}
    return goldens.rebuilt("dimp", chosen)


def target_params(arrays, prefix=""):
    """The target model's weights out of {prefix + reference's key: array}."""
    return {name: arrays[prefix + key].reshape(-1) for name, key in KEYS.items()}


def channels_last(maps):
    """[..., C, H, W] -> [..., H, W, C]."""
    return np.moveaxis(maps, -3, -1)


def relative(ours, reference):
    """The largest difference, as a share of the reference's largest figure."""
    reference = np.asarray(reference)
    assert np.shape(ours) == reference.shape
    return np.abs(np.asarray(ours) - reference).max() / np.abs(reference).max()
