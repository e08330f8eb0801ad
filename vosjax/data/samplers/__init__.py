"""How a network's authors made clips of data sets: one file a sampler, found by its name.

Each has `of_videos(source, each, config)` and `of_photos(source, each, config)`, which give sources
of clips (see `pipeline`) for a `sets.Set` and a `pipeline.ClipsConfig`.
"""
