"""Has a server (`vosjax serve`) segment a folder of images, with the standard library alone."""

import argparse
import base64
import json
import pathlib
import urllib.request


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=pathlib.Path, help="a folder of JPEG or PNG images")
    parser.add_argument("mask", type=pathlib.Path, help="a PNG of object ids, of the first image")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="a folder for the masks")
    parser.add_argument("--server", default="http://127.0.0.1:8764")
    parser.add_argument("--token", default="")
    flags = parser.parse_args(argv)

    def ask(method, path="", body=b"", **headers):
        headers = {"Authorization": f"Bearer {flags.token}", **headers}
        request = urllib.request.Request(f"{flags.server}/v1/sessions{path}", body, headers)
        request.method = method
        return urllib.request.urlopen(request).read()

    session = f"/{json.loads(ask('POST'))['id']}"
    prompt = {"mask": base64.b64encode(flags.mask.read_bytes()).decode()}  # or boxes, or points
    as_json = {"Content-Type": "application/json"}
    ask("POST", f"{session}/prompt", json.dumps(prompt).encode(), **as_json)
    flags.output.mkdir(parents=True, exist_ok=True)
    for path in sorted(flags.frames.iterdir()):
        labels = ask("POST", f"{session}/frames", path.read_bytes(), Accept="image/png")
        (flags.output / f"{path.stem}.png").write_bytes(labels)
        print(f"{path.name}: {len(labels)} bytes of labels")
    ask("DELETE", session)


if __name__ == "__main__":
    main()
