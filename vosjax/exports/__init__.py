"""Writes the masks of a video in the formats of other programs.

| format | result |
|---|---|
| `palette` | a folder: a palette PNG for each frame that has a mask |
| `objects` | a folder: a folder for each object, with its masks in black and white |
| `coco` | a JSON file: an image for each frame, an annotation for each object in it |
| `youtube-vis` | a JSON file: a track of masks for each object |
| `youtube-vis-results` | the same as the list of results that the public evaluation takes |
| `cutout-png` | a folder: the objects of each frame before a transparent background |
| `cutout-webm` | the same as a film: WebM, VP9 with alpha |
| `overlay` | a film of the frames with tinted objects: mp4, H.264 |
| `davis` | a folder in DAVIS layout, for training; it may hold other videos already |

`write` writes one of them. Masks are taken frame by frame, so that a long video needs no more
memory than a short one, and what is written gets its name when it is whole.
"""

from vosjax.exports.formats import FORMATS, write
from vosjax.exports.protocol import Export
from vosjax.exports.segmentation import Object, Segmentation

__all__ = ["FORMATS", "Export", "Object", "Segmentation", "write"]
