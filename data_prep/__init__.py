"""Prepares downloaded datasets as TFDS datasets, with one builder for each dataset.

    builder, salient, tracks   what builders share; one file for each dataset stands beside them
    masks, pictures, components   masks of any source as label maps; checks of pictures
    schema, records            what is stored of stills and videos
    shards, beam               writes a dataset shard by shard, in parallel or on a cluster
    report                     what was found and left out

It imports `vosjax.datasets`, `vosjax.io` and `vosjax.errors`, which read files, but no network.
"""
