"""Training clips (from stills, rendered, mixed) and readers of evaluation folders; NumPy and OpenCV only."""
