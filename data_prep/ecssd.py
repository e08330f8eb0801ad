"""ECSSD: `images/0001.jpg` and `ground_truth_mask/0001.png`."""

from data_prep import salient


class Builder(salient.SalientBuilder):
    """ECSSD as stills."""

    name = "ecssd"
    TEXT = "ECSSD: salient objects."
    IMAGES = (("images", (".jpg",)),)
    MASKS = (("ground_truth_mask", (".png",)), ("masks", (".png",)))
    COUNT = 1_000
    BUILDER_CONFIGS = [salient.BINARY, salient.GREYS]
