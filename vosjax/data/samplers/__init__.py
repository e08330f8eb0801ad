"""How the authors of each network made clips of datasets: one file per sampler, found by its name.

Each sampler has two functions, which return a `types.ClipSource`:

    of_videos(source, dataset, config)   from a source of videos (`datasets.protocol`)
    of_photos(photos, dataset, config)   from photos (`photos.PhotoSource`)

`dataset` is the `config.DatasetConfig` and `config` the `config.ClipsConfig`. Files whose names
begin with `_` are not samplers.
"""
