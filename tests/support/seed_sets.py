"""Small sets in their real layouts, prepared by the commands that a user gives."""

import shutil

from support import dataset_layouts as layouts
from vosjax.config import opened
from vosjax.modes import Options, prepare

VARIANTS = ("static", "youtube_vos", "davis", "videos")


def downloads(root):
    """All that the configs of `prepare` look for, but VIPSeg; COCO's train is its val."""
    layouts.youtube_vos(root / "youtube_vos_2019")
    layouts.davis(root / "DAVIS")
    layouts.youtube_vis_2021(root / "youtube_vis_2021")
    layouts.ovis(root / "ovis")
    layouts.vspw(root / "vspw")
    layouts.salient(root / "ecssd", "images", "ground_truth_mask")
    layouts.salient(root / "msra10k", "MSRA10K_Imgs_GT/Imgs", "MSRA10K_Imgs_GT/Imgs")
    layouts.salient(root / "pascal_s", "datasets/imgs/pascal", "datasets/masks/pascal")
    layouts.voc(root / "pascal_voc")
    layouts.coco(root / "coco")
    shutil.copytree(root / "coco/val2017", root / "coco/train2017")
    annotations = root / "coco/annotations"
    shutil.copy(annotations / "instances_val2017.json", annotations / "instances_train2017.json")
    return root


def prepared(root):
    """DATASETS as the recipe wants it, below a folder; returns its path."""
    options = Options(data=str(downloads(root / "downloads")), output=str(root / "datasets"))
    for variant in VARIANTS:
        assert prepare.run(opened(f"prepare:{variant}", ["workers=0"]), options) == 0
    return root / "datasets"
