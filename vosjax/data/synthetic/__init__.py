"""Rendered training clips: sprites that move in front of a background.

    shapes, textures   what sprites look like
    motion, colour     how they move, and how light and camera change the picture
    sprites            renders frames from a plate and layers, and labels by the same warps
    scene              animates actors: camera, paths, depth, look-alikes
    rendered, sample   random clips, and the fixed clip of the quickstart

A transform is float [3, 3] (or [T, 3, 3], one for each frame) and maps pixels of a picture to
pixels of the frame. `when` holds the times, float [T], of the frames of a clip.
"""
