"""PASCAL-S: `datasets/imgs/pascal/1.jpg` and graded masks `datasets/masks/pascal/1.png`."""

from data_prep import salient


class Builder(salient.SalientBuilder):
    """PASCAL-S as stills."""

    name = "pascal_s"
    TEXT = "PASCAL-S: salient objects."
    IMAGES = (("datasets/imgs/pascal", (".jpg",)), ("imgs/pascal", (".jpg",)), ("Imgs", (".jpg",)))
    MASKS = (("datasets/masks/pascal", (".png",)), ("masks/pascal", (".png",)), ("Imgs", (".png",)))
    COUNT = 850
    BUILDER_CONFIGS = [salient.GREYS, salient.BINARY]
