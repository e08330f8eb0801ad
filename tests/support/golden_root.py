"""Where the goldens are: figures of the reference implementations, for parity tests."""

import fnmatch
import os
import pathlib

import pytest

_TESTS = pathlib.Path(__file__).parents[1]
COMMITTED = _TESTS / "goldens"
SHARED = _TESTS.parent.parent / "shared" / "goldens"  # beside a checkout; larger

# Goldens that only the larger set holds: a test that asks for one is skipped without that set.
# Every other golden is committed, and a test that misses it fails.
LARGER = (
    "aost/*_obj3_97x129.npz",
    "aost/aost_d3_97x129.npz",
    "aost/*_share.manifest.json",
    "aost/aotv2l.manifest.json",
    "aost/r50_*",
    "aost/swinb_*",
    "aost/train_scalable.npz",
    "aot/*_128x160.npz",
    "aot/*_129x161.npz",
    "aot/*_96x128.npz",
    "aot/*deaot*",
    "aot/aot[bs][._]*",
    "aot/ema.csv",
    "aot/encoder_*",
    "aot/gated_propagation.npz",
    "aot/local_attention.npz",
    "aot/losses.*",
    "aot/lr_schedule.csv",
    "aot/r101_*",
    "aot/r50_aotl.manifest.json",
    "aot/r50_aotl_97x129.npz",
    "aot/rs101_*",
    "aot/train_forward*",
    "backbones/efficientnet_b[34].*",
    "backbones/resnet18.npz",
    "backbones/resnext101_*",
    "bpr/manifest_hrnet48_256.json",
    "bpr/net_hrnet18s_128.npz",
    "bpr/net_hrnet48_256.npz",
    "bpr/pipeline.npz",
    "dimp/backbone.npz",
    "dimp/clf_train.npz",
    "dimp/filter.npz",
    "dimp/input.npz",
    "dimp/iounet.npz",
    "stcn/clip_100_[ft]*.npz",
    "stcn/clip_112_*.npz",
    "stcn/read_112.npz",
    "stcn/train_so*",
    "stcn/yv_*.npz",
    "stm/clip_100.npz",
    "stm/clip_112.npz",
    "stm/encode_112.npz",
)


def larger(relative: str) -> bool:
    """Whether only the larger set holds a golden."""
    return any(fnmatch.fnmatchcase(relative, pattern) for pattern in LARGER)


def path(relative: str) -> pathlib.Path:
    """A file or folder of the goldens, e.g. 'aot/aott_97x129.npz'.

    `VOSJAX_GOLDENS` names a root that is used in place of the default, which is the copies in
    tests/goldens first and the larger set in `../shared/goldens` second. What is in neither fails
    the test that asks for it; only where the larger set is not there at all, what it alone holds
    skips the test.
    """
    chosen = os.environ.get("VOSJAX_GOLDENS")
    roots = [pathlib.Path(chosen)] if chosen else [COMMITTED, SHARED]
    for root in roots:
        if (root / relative).exists():
            return root / relative
    where = " or ".join(map(str, roots))
    if larger(relative) and not roots[-1].is_dir():
        pytest.skip(f"this needs {relative} of the larger set of goldens, which is not in {where}")
    pytest.fail(f"GOLDENS MISSING: {relative} is not in {where}", pytrace=False)
