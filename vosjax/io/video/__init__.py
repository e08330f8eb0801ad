"""Reads any video as uint8 RGB frames, one at a time: files, folders, cameras, iterables.

- `open.py` finds out what kind of video was given; `types.py` defines what a video is;
- `file_av.py` and `file_cv.py` read video files (PyAV first, OpenCV where it is missing),
  `network.py` streams, `camera.py` cameras, `folder.py` folders, `animation.py` moving images,
  `iterable.py` arrays and generators;
- `images.py` and `depth.py` read one image, `numbering.py` judges the names of a folder's frames;
- `prefetch.py` reads ahead in a thread; `backward.py` reads from a frame back to the first.
"""

from vosjax.io.names import natural
from vosjax.io.video.backward import read_backward
from vosjax.io.video.images import read_image
from vosjax.io.video.open import open_video
from vosjax.io.video.prefetch import prefetch
from vosjax.io.video.types import Frame, Video

__all__ = ["Frame", "Video", "natural", "open_video", "prefetch", "read_backward", "read_image"]
