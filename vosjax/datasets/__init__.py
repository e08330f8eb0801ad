"""Where videos and stills lie: one protocol for folders and prepared datasets."""
