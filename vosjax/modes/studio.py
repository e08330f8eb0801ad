"""`--mode studio`: a page in the browser on which objects are marked, tracked and corrected.

    vosjax studio [VIDEO or FOLDER] [--project FOLDER] [--port 8765] [--host 127.0.0.1]

VIDEO is a video file, a folder of images, or the folder of a project. The server listens on this
machine alone unless --host says otherwise; then a token is needed. Ctrl-C ends it; everything is on
the disk at any moment.
"""

import os
import pathlib
import socket
import threading
import webbrowser
from typing import Any

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.interactive.marker import load_marker
from vosjax.io.terminal import say
from vosjax.loading.ensembles import composed_network
from vosjax.modes import Options
from vosjax.server.guard import Limits, guard, is_loopback, token_for
from vosjax.studio.project import Project, is_project
from vosjax.studio.studio import Studio

FLAGS = ("video", "project", "host", "port", "token", "no-browser")
FIELDS = (
    "weights",
    "mem_every",
    "max_mem_frames",
    "max_short_side",
    "top_k",
    "dtype",
    "studio",
)
ALSO = ("family", "model", "members", "only", "tta", "feedback", "fuse", "keypoints")
FIRST = "video"
HOST, PORT = "127.0.0.1", 8765
FOLDER = "output/studio"
PATIENCE = 3  # seconds that open connections are given when the server ends


def run(config: Config, options: Options) -> int:
    """Serves the studio until Ctrl-C.

        code = run(opened("default"), Options(video="dog.mp4", project="output/dog"))

    Args:
        config: the config.
        options: the command's flags.

    Returns:
        The exit code.

    Raises:
        InputError: the project, the video, the port or the token cannot be used.
    """
    import uvicorn

    from vosjax.studio.app import make_app

    host, port = options.host or HOST, _port(options.port)
    token = token_for(host, options.token)
    video, folder = _places(options)
    with _listening(host, port) as listener:
        port = listener.getsockname()[1]
        model = composed_network(config)
        marker = load_marker()
        project = Project(folder, cache=config.studio.cache << 20)
        try:
            if video is not None:
                say(f"reading {video}")
                project.add(video)
            studio = Studio.of(
                project,
                model,
                marker,
                largest=config.studio.upload << 20,
                local=is_loopback(host),
                max_short_side=config.max_short_side,
            )
            address = _address(host, port, token)

            def ready() -> None:
                say(f"project: {project.folder}", f"the studio is at {address} (Ctrl-C ends it)")
                if not options.no_browser:
                    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

            largest = config.studio.upload << 20
            limits = Limits(larger=(("/api/videos", largest), ("/api/videos/*/import", largest)))
            app = guard(
                make_app(studio, ready=ready), host=host, port=port, token=token, limits=limits
            )
            server = uvicorn.Server(
                uvicorn.Config(
                    app,
                    log_level="error",
                    access_log=False,
                    timeout_graceful_shutdown=PATIENCE,
                    server_header=False,
                )
            )
            server.run(sockets=[listener])
        finally:
            project.close()
    return 0


def _port(text: str | None) -> int:
    if text is None:
        return PORT
    if not (text.isdecimal() and len(text) < 6 and int(text) < 65536):
        raise InputError(f"--port is {text[:20]!r}; a number from 0 to 65535 is expected")
    return int(text)


def _places(options: Options) -> tuple[pathlib.Path | None, pathlib.Path]:
    """Returns the video, if one is given, and the project's folder."""
    folder = pathlib.Path(options.project or FOLDER)
    if options.video is None:
        return None, folder
    video = pathlib.Path(options.video).expanduser()
    if not is_project(video):
        return video, folder
    if options.project is not None and os.path.abspath(video) != os.path.abspath(folder):
        raise InputError(f"{video} is a project itself: leave --project out, or name a video")
    return None, video


def _listening(host: str, port: int) -> Any:
    """Returns a socket that listens; its address is refused before anything is loaded."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        raise InputError(
            f"nothing can listen on {host}:{port} ({error.strerror}): name another --port, or "
            "--port 0 for any that is free"
        ) from error
    return listener


def _address(host: str, port: int, token: str | None) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
