"""vosjax: semi-supervised video object segmentation in JAX."""
