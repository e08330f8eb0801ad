"""The one place that says how far from a reference's figures ours may be.

A limit is ten times the reference's own float32 noise, which every set of goldens states (measured
against a float64 run), or the limit that the goldens' README suggests, whichever is larger. All are
maximal absolute differences.
"""

import json

from support import golden_root

SUGGESTED = {"enc": 2e-4, "lstt": 3e-4, "logits": 4e-4, "mem": 2e-4, "id_emb": 1e-5}
PART = 2e-5  # of single layers of unit scale
NORM = 1e-4  # norms of inputs of tiny variance, whose outputs are scaled up from noise
PROBABILITY = 5e-5  # of several engines merged: a softmax passes on a quarter of the logits' noise
MERGED = 5e-3  # their logits, steep next to the clamp
FLIPPED = 5e-4  # share of pixels that may get another label when a clip runs on own predictions


def limit(folder: str, name: str, part: str) -> float:
    """The limit for a part ('enc', 'mem', 'lstt', 'logits', 'id_emb') of a model's golden."""
    noise = json.loads(golden_root.path(f"{folder}/noise_floor.json").read_text())
    return max(10 * noise.get(name, {}).get(part, 0.0), SUGGESTED[part])
