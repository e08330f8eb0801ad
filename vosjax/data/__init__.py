"""Training clips: of videos and photos, rendered from nothing, mixed into a stream; no JAX.

    pipeline   endless batches of a `ClipsConfig`; `sets` its datasets, `types` what a clip is
    samplers   how a network's authors made clips of data sets: one file a sampler
    stills     photos whose objects come alive
    choose, window, warp, spline, jitter, photos   what clips are made with
    synthetic  sprites that move before a background

`sheet` draws contact sheets of clips, to look at.
"""
