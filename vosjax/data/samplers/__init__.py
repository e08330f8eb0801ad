"""How a network's authors made clips of data sets: one file a sampler, found by its name.

Each has two functions, which give a `types.ClipSource`:

    of_videos(source, dataset, config)   of a source of videos (`datasets.protocol`)
    of_photos(photos, dataset, config)   of photos (`photos.PhotoSource`)

`dataset` is the `config.DatasetConfig`, `config` the `config.ClipsConfig`. Files whose names begin
with `_` are no samplers.
"""
