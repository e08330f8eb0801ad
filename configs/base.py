"""The embedded default model, which `--mode segment`, `eval`, `bench` and `fuse` use by default.

    python launch.py --config configs/base.py --video clip.mp4 --masks first.png --output out

`vosjax segment --help` describes the fields. A config of your own starts from
`vosjax.config.network()`, or from any of these by `vosjax.config.named("aot:r50")`.

Expected: the embedded default model segments the clip; the README describes the files in `out`.
"""

from vosjax.config import network


def get_config():
    return network()
