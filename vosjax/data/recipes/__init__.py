"""How a network's authors made clips: one file a recipe, found by its name.

Each has `of_videos(source, each, config)` and `of_photos(source, each, config)`, which give sources
of clips (see `pipeline`) for a `sets.Set` and a `pipeline.ClipsConfig`.
"""
