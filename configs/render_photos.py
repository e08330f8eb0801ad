"""Photos with masks as short videos: objects and cameras move, and the truth of a frame is known.

    python launch.py --mode render --config configs/render_photos.py --config.data.root=FOLDER \\
        --config.render.clips=100 --output VIDEOS
    python launch.py --mode eval --config configs/base.py --data VIDEOS --output runs/coarse

FOLDER has images/ and masks/ (a PNG of the photo's name, a pixel holds its object's id);
`--config.data.sets[0].only=PATTERN` takes some of the photos alone.

Expected: 100 videos of 8 frames of 480x640 in VIDEOS, in the layout of DAVIS.
"""

from vosjax.config import training


def get_config():
    config = training("aot", encoder="mobilenet_v2", layers=1)
    config.mode, config.render.source = "render", "data"
    config.data.update(
        height=480, width=640, frames=8, max_objects=5, sampler="composed", root="",
        sets=(dict(folder="."),), rendered_weight=0.0, merge=0.3, guests=0.0, shuffle=False,
    )  # fmt: skip
    return config
