"""Files in and out: videos, masks, score tables, label maps, and locks; imports no network."""
