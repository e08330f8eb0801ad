"""Clips of your own videos: any folder in DAVIS or YouTube-VOS layout, sampled as AOT does.

    python launch.py --mode preview --config configs/data_folder.py --config.data.root=FOLDER \\
        --output out

FOLDER has JPEGImages/VIDEO/*.jpg and Annotations/VIDEO/*.png (palette PNG, a pixel holds its
object's id; not every frame needs one). Training takes the same config.

Expected: four sheets of six clips each in `out`, objects tinted and numbered.
"""

from vosjax.config import training


def get_config():
    config = training("aot", encoder="mobilenet_v2", layers=3)
    config.data.update(root="", sets=(dict(folder=".", max_frame_gap=3),), rendered_weight=0.0)
    return config
