"""Endings of file names: which ones are images, and which are videos."""

READABLE = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif", ".qoi"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".tga", ".sgi", ".pcx"),
)
_RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".raw", ".srw", ".pef")
# Images that could be frames, but that Pillow does not decode. For exr and hdr it is also an open
# question how light without bounds should become eight bits.
UNREADABLE = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **{".jxl": "JPEG XL", ".jxr": "JPEG XR", ".exr": "OpenEXR", ".hdr": "Radiance HDR"},
    **{".dpx": "DPX", ".cin": "Cineon", ".dcm": "DICOM"},
    **dict.fromkeys(_RAW, "camera raw"),
}
# They help FFmpeg to tell formats apart. Without txt and the like, which it turns into videos, too.
FILMS = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mj2", ".avi", ".divx", ".mkv", ".webm"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".mxf"),
    *(".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogg", ".ogm", ".nut", ".ivf", ".dv", ".y4m"),
    *(".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".265", ".hevc", ".rm", ".rmvb", ".wtv", ".amv"),
)
