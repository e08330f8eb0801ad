"""Datasets on disk: plain folders and prepared datasets behind one protocol; imports no JAX.

    protocol   what a source of videos offers, and what is known of one video
    catalog    finds a dataset by its folder or name, and opens it
    folders    the source for a folder in DAVIS or YouTube-VOS layout, which `layout` parses
    prepared   the source for a dataset that `data_prep` has made
    decode     turns stored pictures and masks into arrays

`unpack` writes any source back to a plain folder.
"""
