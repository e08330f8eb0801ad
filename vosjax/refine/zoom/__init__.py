"""Crop-then-zoom: small objects are segmented a second time, in crops that are enlarged.

The design follows the 5th place solution of the YouTube-VOS Challenge 2022 (arXiv 2206.09585),
which names the steps (boxes of a tracker and of the first masks, crops, a second segmentation) but
none of the numbers; those are this project's own. `stage.zoom_video` takes a video that was
segmented and gives refined masks; the other files are its steps, each a few pure functions.

Lengths and areas of the rules are those of a frame whose short side has 480 pixels; `choose.scale`
converts them. Boxes are float (x, y, w, h) in pixels, x and y being the upper left corner.
"""
