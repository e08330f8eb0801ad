"""Prepares downloaded datasets as TFDS records: `davis`, `static`, `videos` or `youtube_vos`.

    python launch.py --config configs/prepare.py:davis --data DOWNLOADS --output DATASETS

`--config.workers=8` sets the number of processes; datasets missing below DOWNLOADS are passed over.
`python -m data_prep NAME --source DIR --output DATASETS` does the same for one dataset.

| variant | what DOWNLOADS holds, as it was unpacked |
|---|---|
| davis | DAVIS with JPEGImages, Annotations and ImageSets of 2017, test-dev in the same folder |
| static | coco, ecssd, msra10k, pascal_s and pascal_voc: the stills of AOT's pre-training |
| videos | youtube_vis_2021, ovis, vspw and vipseg: the further videos of arXiv 2206.09585 |
| youtube_vos | youtube_vos_2019 with train, valid and test (and *_all_frames) |

Videos of YouTube-VOS's validation set are left out of YouTube-VIS, so
DOWNLOADS/youtube_vos_2019/valid/meta.json must be there for it. Full resolution:
`python -m data_prep davis/2017_full`. Pixel-ImageNet, which was found not to help, is
`python -m data_prep pixel_imagenet`.

Expected:
    davis        of 2017 60 videos of train, 30 of val, 30 of test_dev; of 2016 30 of train with
                 2,079 frames, 20 of val with 1,376
    static       118,287 + 5,000 images of COCO found, 1,000 of ECSSD, 10,000 of MSRA10K, 850 of
                 PASCAL-S, 1,464 + 1,449 of VOC; images of COCO without objects of 500 square
                 pixels are reported and left out
    videos       2,985 of YouTube-VIS found, 607 of OVIS, 2,806 of VSPW's and of VIPSeg's train; one
                 of VSPW has damaged pictures, which are reported and left out
    youtube_vos  3,471 videos of train, 507 of valid, 541 of test, and no warnings except for masks
                 known to be missing
"""

from vosjax.config import network, variant

YOUTUBE = "youtube_vos_2019"
TRAIN = ("train",)
VARIANTS = {
    "davis": (
        dict(name="davis/2017_480p", source="DAVIS"),
        dict(name="davis/2016_480p", source="DAVIS"),
    ),
    "static": tuple(
        dict(name=name, source=name)
        for name in ("coco", "ecssd", "msra10k", "pascal_s", "pascal_voc")
    ),
    "videos": (
        dict(
            name="youtube_vis/2021",
            source="youtube_vis_2021",
            splits=TRAIN,
            exclude=f"{YOUTUBE}/valid/meta.json",
        ),
        dict(name="ovis", source="ovis", splits=TRAIN),
        dict(name="vspw/classes", source="vspw", splits=TRAIN),
        dict(name="vipseg/things_and_stuff", source="vipseg", splits=TRAIN),
    ),
    "youtube_vos": (
        dict(name="youtube_vos/2019", source=YOUTUBE),
        dict(name="youtube_vos/2019_all_frames", source=YOUTUBE, splits=("valid",)),
    ),
}


def get_config(name="davis"):
    config = network()
    config.mode, config.datasets = "prepare", variant(VARIANTS, name)
    return config
