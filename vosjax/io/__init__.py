"""Files in and out: videos, masks, scores and weights. Imports no network."""
