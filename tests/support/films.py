"""Drawn clips, encoded on the spot: every frame shows its own number, which survives any codec."""

import pathlib
from fractions import Fraction

import av
import numpy as np

SIZE = (32, 64)
BITS = 8


def numbered(index, size=SIZE):
    """uint8 [H, W, 3]: the bits of the index as black and white bars, below a coloured edge."""
    bars = np.array([255 * (index >> bit & 1) for bit in range(BITS)], np.uint8)
    row = bars[np.arange(size[1]) * BITS // size[1]]
    image = np.repeat(np.repeat(row[None, :, None], size[0], 0), 3, 2)
    image[: size[0] // 4] = (200, 60, 60)
    return image


def number_of(image):
    """The number that a frame shows."""
    height, width = image.shape[:2]
    centres = (2 * np.arange(BITS) + 1) * width // (2 * BITS)
    bits = image[height * 5 // 8, centres].mean(-1) > 127
    return int((bits << np.arange(BITS)).sum())


def numbers_of(images):
    return [number_of(image) for image in images]


def write_film(
    path,
    images=12,
    *,
    codec="libx264",
    layout="yuv420p",
    fps=25,
    times=None,
    options=None,
    container=None,
    kind=None,
    rotate=None,
    source="rgb24",
    colours=None,
    title=None,
):
    """A video file.

    Args:
      path: of the file.
      images: of the frames, or how many numbered ones.
      codec, layout, options: the encoder, its pixel format and settings.
      fps: frames per second.
      times: seconds of each frame, instead of an even rate.
      kind, container: the format, where the ending does not tell, and its settings.
      rotate: degrees by which players shall turn it counterclockwise.
      source: the pixel format of the images.
      colours: {attribute of the codec: value}.
      title: written into the file.
    """
    images = [numbered(i) for i in range(images)] if isinstance(images, int) else images
    rate = Fraction(fps).limit_denominator(100_000)
    with av.open(str(path), "w", format=kind, container_options=container or {}) as film:
        if title is not None:
            film.metadata["title"] = title
        stream = film.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = layout
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        if rotate is not None:
            stream.set_display_rotation(rotate)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, source)
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[index]), Fraction(1, 1000)
            for packet in stream.encode(frame):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)
    return path


def copy_packets(source, target, change=lambda index, packet: packet, container=None, start=0):
    """Writes the packets of a video into another container, as cutters do without encoding.

    Args:
      source, target: files.
      change: change(index, packet) -> the packet to write, or None to leave it out.
      container: settings of the target.
      start: time stamp that becomes 0; an mp4 hides what lies before, by an edit list.
    """
    settings = {"avoid_negative_ts": "disabled", "use_editlist": "1"} if start else {}
    with (
        av.open(str(source)) as old,
        av.open(str(target), "w", container_options=settings | (container or {})) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = (packet for packet in old.demux(old.streams.video[0]) if packet.size)
        for index, packet in enumerate(packets):
            packet = change(index, packet)
            if packet is not None:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = stream
                new.mux(packet)
    return target


def places(path) -> list[tuple[int, int]]:
    """(offset, size) of the content of each packet of a video, where it lies in one piece."""
    data, spans = pathlib.Path(path).read_bytes(), []
    with av.open(str(path)) as film:
        for packet in film.demux(video=0):
            if packet.size:
                spans.append((data.index(bytes(packet)), packet.size))
    return spans


def overwrite(path, spans, filling=b"\0"):
    """Overwrites spans (offset, size) of a file."""
    path = pathlib.Path(path)
    data = bytearray(path.read_bytes())
    for offset, size in spans:
        data[offset : offset + size] = (filling * size)[:size]
    path.write_bytes(data)
