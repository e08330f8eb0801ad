"""The studio: from a video to its masks in a browser (docs/studio.md).

- `project.py` keeps everything in one folder; `uploads.py` takes what is sent, `frames.py` reads
  frames, `maps.py` stores label maps, `history.py` what was done, to be undone and done again;
- `clip.py` is a video of the project and what can be done to it: `marking.py`, `painting.py`,
  `objects.py`, and `job.py` for the propagation by `passes.py` and `following.py`;
- `worker.py` is the one thread that computes on the device; `events.py` tells pages what happens;
- `app.py` and `routes.py` are the server, which nothing else here knows.
"""
