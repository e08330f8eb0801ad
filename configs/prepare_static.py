"""Prepares the stills of AOT's pre-training: COCO, ECSSD, MSRA10K, PASCAL-S, PASCAL VOC 2012.

    python launch.py --mode prepare --config configs/prepare_static.py --data DOWNLOADS \\
        --output DATASETS

DOWNLOADS holds coco, ecssd, msra10k, pascal_s and pascal_voc as they were unpacked; what is missing
is passed over. Pixel-ImageNet, which was found not to help, is `python -m data_prep
pixel_imagenet`.

Expected: 118,287 + 5,000 images of COCO found, 1,000 of ECSSD, 10,000 of MSRA10K, 850 of PASCAL-S,
1,464 + 1,449 of VOC; images of COCO without objects of 500 square pixels are told and left out.
"""

from configs import prepare


def get_config():
    names = ("coco", "ecssd", "msra10k", "pascal_s", "pascal_voc")
    return prepare.recipe(*(dict(name=name, source=name) for name in names))
