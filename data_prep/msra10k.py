"""MSRA10K: photos and masks with equal stems in one folder, `MSRA10K_Imgs_GT/Imgs/*.{jpg,png}`."""

from data_prep import salient


class Builder(salient.SalientBuilder):
    """MSRA10K as stills."""

    name = "msra10k"
    TEXT = "MSRA10K: salient objects."
    IMAGES = (("MSRA10K_Imgs_GT/Imgs", (".jpg",)), ("Imgs", (".jpg",)), (".", (".jpg",)))
    MASKS = (("MSRA10K_Imgs_GT/Imgs", (".png",)), ("Imgs", (".png",)), (".", (".png",)))
    COUNT = 10_000
    BUILDER_CONFIGS = [salient.BINARY, salient.GREYS]
