"""Clips made of nothing: sprites that move before a background.

    shapes, textures   what sprites look like
    motion, colour     how they move, and how light and camera change the picture
    sprites            paints a plate and layers, labels by the same warps
    scene              sets actors in motion: camera, paths, depth, look-alikes
    rendered, sample   clips from nothing: at random, and the one of the quickstart

A transform is float [3, 3] (or [T, 3, 3], one for each frame) and maps a picture's pixels to the
frame's; `when` are the times float [T] of a clip's frames.
"""
