"""What every recipe has: the settings of `segment`, `eval` and `bench`, at their defaults.

    python launch.py --config configs/base.py --video clip.mp4 --masks first.png --output out

Expected: the embedded default model segments the clip; see the README for what lies in `out`.
"""

import ml_collections
from ml_collections.config_dict import placeholder


def get_config():
    return recipe()


def recipe(family="", *, gap=None, **model):
    """A config; `model` are the settings of the family's `build`, `family` '' takes the weights'."""
    config = ml_collections.ConfigDict()
    config.mode = "segment"
    config.family = family
    config.model = model
    config.weights = "" if family else "default"  # a folder, or the name of embedded weights
    config.gap = placeholder(int)  # frames from one remembered frame to the next; None: the model's
    config.limit = placeholder(int)  # most remembered frames; None: the model's
    config.size = placeholder(int)  # most pixels of the short side; None: the model's rule alone
    config.top_k = placeholder(int)  # memory places that a query reads; None: the model's
    config.dtype = "float32"  # or 'bfloat16'
    config.overlay = True
    config.save_every = 200  # frames from one saved state to the next
    if gap is not None:
        config.gap = gap
    config.balance = placeholder(int)  # eval: a gap for about so many memory frames a video
    config.balance_low = 1  # its bounds
    config.balance_high = 20
    config.only = ""  # one of config.members, to be run alone
    config.feedback = "own"  # of members: own or fused
    config.fuse = "mean"  # of members and of runs: mean, max or keypoints
    config.fuse_weights = ()  # of the runs, for mean
    config.keypoints = "sift"  # or orb
    config.tta = dict(
        flip=False, scales=(1.0,), short=placeholder(int)
    )  # see vosjax/compose/views.py
    config.eval = dict(
        split=placeholder(str),  # DAVIS: a list of ImageSets/YEAR
        year=2017,  # DAVIS: or 2016
        resolution="480p",  # DAVIS: the folder below JPEGImages
        names=(),  # only these videos
        all_frames=False,  # YouTube-VOS: track those of FOLDER_all_frames
        protocol="auto",  # or davis, youtube, vos_benchmark
        seen="",  # YouTube-VOS: a training set's folder, whose classes count as seen
        drop_last=False,  # YouTube-VOS: leave out the last annotated frame
        processes=1,  # that score
        zip=True,  # the server's file
        chunk=placeholder(int),  # frames encoded at once; None: 8, on CPUs 1
        batch=placeholder(int),  # most videos side by side; None: 4, on CPUs 1
        spread=False,  # views and members on devices of their own
        probabilities=0,  # bits a pixel that are kept for --mode fuse: 8 or 16
        scale=0.5,  # of the frame's size, at which they are
    )
    config.render = dict(clips=8, frames=120, height=240, width=432, objects=3)  # --mode render
    config.summary = dict(height=480, width=854, objects=3, memory=4)  # --mode summary
    config.bench = dict(
        models=("aot_t", "aot_r50"),  # configs, with random weights
        sizes=((480, 854),),  # of the user's frames, (height, width)
        objects=(1, 3, 10),
        memory=(4,),  # filled memory frames
        top_k=(),  # memory places that a query reads, 0 for all; (): the models' own
        repeats=5,
        frames=4,  # timed together, in each repeat
    )
    return config
