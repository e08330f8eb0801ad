"""`--mode studio`: a page in the browser on which objects are marked, tracked and corrected.

    vosjax studio [VIDEO or FOLDER] [--project FOLDER] [--port 8765] [--host 127.0.0.1]

VIDEO is a video file, a folder of images, or the folder of a project. The server listens on this
machine alone unless --host says otherwise; then a token is needed, which is given by --token or
$VOSJAX_TOKEN, or made and printed. Ctrl-C ends it; everything is on the disk at any moment.
"""

import os
import pathlib
import re
import threading
import webbrowser

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.interactive.marker import load_marker
from vosjax.io.names import printable
from vosjax.io.terminal import say
from vosjax.loading.ensembles import composed_network
from vosjax.loading.pretrained import compile_cache
from vosjax.modes import Options
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
)
ALSO = ("family", "model", "members", "only", "tta", "feedback", "fuse", "keypoints")
FIRST = "video"
HOST, PORT = "127.0.0.1", 8765
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
    try:
        from vosjax.server.run import listening, serve, server_of
        from vosjax.studio.app import make_app
    except ImportError as error:
        raise InputError(
            f'the studio needs packages that are missing ({error.name}): pip install "vosjax[web]"'
        ) from error
    host, port = options.host or HOST, _port(options.port)
    token = token_for(host, options.token or os.environ.get("VOSJAX_TOKEN"))
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

        server = server_of(
            make_app(studio, ending=lambda: server.should_exit),
            bound,
            host=host,
            token=token,
            limits=Limits(larger=(("/api/videos", largest), ("/api/videos/*/import", largest))),
            connections=CONNECTIONS,
            began=began,
        )
        serve(server, bound)
    return 0


def _port(text: str | None) -> int:
    if text is None:
        return PORT
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise InputError(f"--port is {printable(text)}; a number from 0 (any) to 65535 is expected")
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


def _address(host: str, port: int, token: str | None) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
