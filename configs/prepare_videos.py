"""Prepares the further videos of arXiv 2206.09585: YouTube-VIS 2021, OVIS, VSPW; and VIPSeg.

    python launch.py --mode prepare --config configs/prepare_videos.py --data DOWNLOADS \\
        --output DATASETS

DOWNLOADS holds youtube_vis_2021, ovis, vspw and vipseg as they were unpacked; what is missing is
passed over. Videos of YouTube-VOS's validation set are left out of YouTube-VIS, so
DOWNLOADS/youtube_vos_2019/valid/meta.json must be there for it.

Expected: 2,985 videos of YouTube-VIS found, 607 of OVIS, 2,806 of VSPW's and of VIPSeg's train; one
video of VSPW has damaged pictures, which are told and left out.
"""

from configs import prepare


def get_config():
    train = ("train",)
    return prepare.recipe(
        dict(
            name="youtube_vis/2021",
            source="youtube_vis_2021",
            splits=train,
            exclude="youtube_vos_2019/valid/meta.json",
        ),
        dict(name="ovis", source="ovis", splits=train),
        dict(name="vspw/classes", source="vspw", splits=train),
        dict(name="vipseg/things_and_stuff", source="vipseg", splits=train),
    )
