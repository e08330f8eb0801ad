"""For the site: the page of modes, made from the command line's own parsers, and its links."""

import contextlib
import io
import posixpath
import re

from mkdocs.structure.files import File

from vosjax import cli, config, modes

PAGE = "modes.md"


def modes_page() -> str:
    """Markdown: what `vosjax MODE --help` prints of every mode, and the configs' own docstrings."""
    lines = ["# Modes and configs", "", "What `vosjax MODE --help` prints, mode by mode.", ""]
    for name in modes.names():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            cli.main([name, "--help"])
        lines += [f"## {name}", "", "```text", printed.getvalue().strip(), "```", ""]
    lines += ["## Configs", "", "The files of `configs/`, each with its command.", ""]
    for name in config.names():
        lines += [f"### {name}", "", "```text", _docstring(name), "```", ""]
    return "\n".join(lines)


def _docstring(name: str) -> str:
    source = (config.files.folder() / f"{name}.py").read_text(encoding="utf-8")
    return re.match(r'r?"""(.*?)"""', source, re.S)[1].strip()


def on_files(files, config):
    files.append(File.generated(config, PAGE, content=modes_page()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links to what is no page, such as `../launch.py`, become their text."""
    folder = posixpath.dirname(page.file.src_uri)

    def inside(match):
        path = posixpath.normpath(posixpath.join("docs", folder, match[2]))
        return match[0] if path.startswith("docs/") else match[1]

    return re.sub(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)", inside, markdown)
