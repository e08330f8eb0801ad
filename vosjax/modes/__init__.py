"""What `launch.py` can do: one file for each `--mode`, each with `run(config, options)`."""
