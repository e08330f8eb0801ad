"""The encoder for films with a transparent background: WebM, VP9 with alpha, by PyAV."""

import pathlib

from vosjax.io.encode_av import AvEncoder

MILLISECONDS = 1000  # per second: the times that a WebM holds
VP9 = "libvpx-vp9"
OPTIONS = {
    "deadline": "good",
    "cpu-used": "5",
    "row-mt": "1",
    "crf": "24",
    "b": "0",  # the quality decides, not the rate
    "auto-alt-ref": "0",  # which the encoder does not have together with alpha
}


class AlphaEncoder(AvEncoder):
    """Writes RGBA frames with their times to a WebM.

    encoder = AlphaEncoder(path, fps=25, size=(480, 854))
    encoder.write(image, 0.04)      # uint8 [H, W, 4] RGBA
    """

    kind, names, taken, made = "VP9", (VP9,), "rgba", "yuva420p"

    def __init__(self, path: pathlib.Path, *, fps: float, size: tuple[int, int]) -> None:
        """Opens the file.

        Args:
            path: the file.
            fps: usual rate in frames per second, above 0.
            size: (H, W) of the frames.

        Raises:
            Refused: PyAV is missing or has no VP9 encoder, or the encoder does not accept the size
                or the rate.
            OSError: the file cannot be written.
        """
        super().__init__(
            path,
            fps=fps,
            size=size,
            ticks=MILLISECONDS,
            container="webm",
            container_options={},
            options={VP9: OPTIONS},
            metadata={"alpha_mode": "1"},  # players look for it
        )
