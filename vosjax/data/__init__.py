"""Training clips: of videos and photos, rendered from nothing, mixed into a stream; no JAX.

pipeline   endless batches of a `ClipsConfig`, `sets` its datasets, `types` what a clip is
recipes    how a network's authors made clips: one file a recipe
choose, window, warp, spline, jitter, photos   the parts that recipes are made of
synthetic  sprites that move before a background
sheet      contact sheets of clips, to look at
"""
