"""Training clips (from stills, rendered, mixed) and readers of evaluation folders; no JAX."""
