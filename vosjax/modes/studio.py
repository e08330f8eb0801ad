"""`--mode studio`: a page in the browser on which objects are marked, tracked and corrected.

    vosjax studio [VIDEO or FOLDER] [--project FOLDER] [--port 8765] [--host 127.0.0.1]

VIDEO is a video file, a folder of images, or the folder of a project. The server listens on this
machine alone unless --host says otherwise; then a token is needed, which is given by --token or
$VOSJAX_TOKEN, or made and printed. Ctrl-C ends it; everything is on the disk at any moment. Other
programs find the API of `--mode serve` below /v1.
"""

import os
import pathlib
import threading
import webbrowser

from vosjax.compile_cache import compile_cache
from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.interactive.marker import load_marker
from vosjax.io.terminal import say
from vosjax.loading.ensembles import composed_network
from vosjax.modes import Options
from vosjax.modes._serving import (
    HOST,
    check_packages,
    message_bytes,
    own_token,
    port_of,
    sessions_of,
)
from vosjax.server.guard import Limits, is_loopback, token_for
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
    "serve",
)
ALSO = ("family", "model", "members", "only", "tta", "feedback", "fuse", "keypoints")
FIRST = "video"
PORT = 8765
FOLDER = "output/studio"
CONNECTIONS = 256


def run(config: Config, options: Options) -> int:
    """Serves the studio until a signal comes.

        code = run(opened("default"), Options(video="dog.mp4", project="output/dog"))

    Args:
        config: the config.
        options: the command's flags.

    Returns:
        The exit code.

    Raises:
        InputError: a package is missing; or the project, the video, the address, the port or the
            token cannot be used.
    """
    check_packages()
    from vosjax.server.routes import limits_of
    from vosjax.server.run import listening, serve, server_of
    from vosjax.studio.app import make_app

    host, port = options.host or HOST, port_of(options, PORT)
    token = token_for(host, own_token(options))
    video, folder = _places(options)
    compile_cache()
    model = composed_network(config)
    largest = config.studio.upload << 20
    with (
        listening(host, port) as bound,
        Project(folder, cache=config.studio.cache << 20) as project,
    ):
        if video is not None:
            say(f"reading {video}")
            project.add(video)
        studio = Studio.of(
            project,
            model,
            load_marker(),
            largest=largest,
            local=is_loopback(host),
            max_short_side=config.max_short_side,
        )
        address = _address(host, bound.getsockname()[1], token)

        def began() -> None:
            say(f"project: {project.folder}", f"the studio is at {address} (Ctrl-C ends it)")
            if not options.no_browser:
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        sessions = sessions_of(config, model)
        uploads = (("/api/videos", largest), ("/api/videos/*/import", largest))
        server = server_of(
            make_app(studio, sessions=sessions, ending=lambda: server.should_exit),
            bound,
            host=host,
            token=token,
            limits=Limits(larger=uploads + limits_of(sessions).larger),
            connections=CONNECTIONS,
            message_bytes=message_bytes(config),
            began=began,
        )
        serve(server, bound)
    return 0


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


def _address(host: str, port: int, token: str | None) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
