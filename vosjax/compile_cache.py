"""Keeps compiled programs on disk; called by whatever loads a network, before it compiles."""

import os
import pathlib

import jax


def compile_cache() -> None:
    """Keeps compiled programs on disk between runs, unless a cache folder is already set.

        compile_cache()      # before the first program

    The folder is $VOSJAX_CACHE, or else vosjax in $XDG_CACHE_HOME or ~/.cache; VOSJAX_CACHE=off
    keeps nothing. JAX's own JAX_COMPILATION_CACHE_DIR takes precedence, as does
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS over the half second below which a program is not
    worth a file.
    """
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = os.environ.get("VOSJAX_CACHE") or pathlib.Path(home) / "vosjax"
    if folder == "off" or jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError:  # without a writable folder, programs are only compiled again
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
