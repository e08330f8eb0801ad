"""The refinement network of BPR: trained on a tracker's own masks, beside the truth.

First the coarse masks, by any network, on videos with truth in every frame; then their patches; and
the training:

    python launch.py --mode eval --config configs/base.py --data VIDEOS --output runs/coarse
    python launch.py --mode patches --config configs/train_boundary.py --input runs/coarse \\
        --data VIDEOS --output PATCHES/videos
    python launch.py --config configs/train_boundary.py --config.patches.root=PATCHES \\
        --output runs/boundary

PATCHES holds `videos`, `stills`, `coco` and `rendered`, each made like that. Photos with masks
become videos by `--mode render --config configs/render_photos.py`, and rendered clips by `--mode
render` alone; both know their truth in every frame.

Expected: weights of the family bpr in runs/boundary/weights, 3 MB in half precision, in an hour on
two cores; what they are worth stands in docs/refinement.md. The embedded ones come from this file,
but that the first 4,000 steps had the rates of a training of 8,000. The reference trains its
networks (`w18`, `w48` of configs/bpr.py) by SGD for 160,000 steps of 32 patches; this is the short
training of the small one, with Adam.
"""

from vosjax.config import named, patch_training

SOURCE = (
    "random weights, trained on patches of DAVIS 2016 train (CC BY 4.0), COCO photos (annotations "
    "CC BY 4.0), Clothing Co-Parsing (Apache-2.0) and balloon photos, and of rendered clips, with "
    "the embedded default's masks"
)


def get_config(name="small"):
    config = patch_training("bpr", **named(f"bpr:{name}").model)
    config.patches.update(
        root="",
        sets=(
            dict(folder="videos", weight=0.45),
            dict(folder="stills", weight=0.2),
            dict(folder="coco", weight=0.1),  # its outlines are off by 2 to 5 pixels
            dict(folder="rendered", weight=0.25),
        ),
        held_out="^davis16_(bmx-bumps|dance-jump|lucia)$",
    )
    config.train.update(
        steps=5000, batch=32, lr=1e-3, lr_min=1e-5, warmup=0.02, weight_decay=0.01,
        source=SOURCE, licence="Apache-2.0",
    )  # fmt: skip
    config.train.log.update(every=50, pictures=0, validate=500, checkpoint=500)
    return config
