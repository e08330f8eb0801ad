"""Training clips from videos, from photos or rendered, mixed into one stream of batches; no JAX.

    types      what a clip is
    pipeline   endless batches of the clips that a `ClipsConfig` describes
    sets       the datasets of a config
    samplers   how the authors of each network made clips of datasets: one file for each sampler
    stills     clips from single photos, whose objects are cut out and set in motion
    choose, window, warp, spline, jitter, photos   the steps that clips are made of
    synthetic  clips rendered from moving sprites in front of a background

`sheet` draws contact sheets of clips for inspection.
"""
