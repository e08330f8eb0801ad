"""The dtypes in which a network computes; without JAX, because checking a config reads them."""

DTYPES = ("float32", "bfloat16")
