"""Where the weights of DiMP-50 stand in the published `dimp50.pth`."""

from collections.abc import Callable

import numpy as np

from vosjax.backbones import resnet
from vosjax.names import Name, Names, conv, frozen_norm, linear

# layer4 and the classifier of ImageNet are stored, and no part of the tracker.
IGNORED = (r"(.*\.)?num_batches_tracked", r"feature_extractor\.(layer4|fc)\..*")
CONVOLUTIONS = {  # our names in the IoU network -> the reference's
    "reference8": "conv3_1r",
    "reference8_pooled": "fc3_1r",
    "reference16": "conv4_1r",
    "modulation8": "fc34_3r",
    "modulation16": "fc34_4r",
    "test8_0": "conv3_1t",
    "test8_1": "conv3_2t",
    "test16_0": "conv4_1t",
    "test16_1": "conv4_2t",
}
POOLED = {"pooled8": ("fc3_rt", 5), "pooled16": ("fc4_rt", 3)}  # -> name, bins per side
TARGET_MODEL = {
    "label": "label_map_predictor.weight",
    "mask": "target_mask_predictor.0.weight",
    "weight": "spatial_weight_predictor.weight",
    "log_step": "log_step_length",
    "regularisation": "filter_reg",
}


def names() -> Names:
    """Returns the names of all weights.

    names().ignored
    """
    entries = resnet.names("50", "backbone", "feature_extractor.")
    entries += conv("target_features", "classifier.feature_extractor.0", bias=False)
    entries += conv("first_filter", "classifier.filter_initializer.filter_conv")
    entries += [
        Name(f"target_model/{ours}", f"classifier.filter_optimizer.{theirs}", np.ravel)
        for ours, theirs in TARGET_MODEL.items()
    ]
    for ours, theirs in CONVOLUTIONS.items():
        entries += conv(f"iou_net/{ours}/conv", f"bb_regressor.{theirs}.0")
        entries += frozen_norm(f"iou_net/{ours}/norm", f"bb_regressor.{theirs}.1")
    for ours, (theirs, bins) in POOLED.items():
        path, key = f"iou_net/{ours}/linear", f"bb_regressor.{theirs}.linear"
        kernel, bias = linear(path, key)
        entries += [kernel._replace(layout=_pooled_kernel(bins)), bias]
        entries += frozen_norm(f"iou_net/{ours}/norm", f"bb_regressor.{theirs}.bn")
    entries += linear("iou_net/head", "bb_regressor.iou_predictor")
    return Names(tuple(entries), IGNORED)


def _pooled_kernel(bins: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a layout: [out, C * P * Q] -> [P * Q * C, out]."""

    def layout(array: np.ndarray) -> np.ndarray:
        split = array.reshape(len(array), -1, bins, bins)
        return split.transpose(2, 3, 1, 0).reshape(-1, len(array))

    return layout
