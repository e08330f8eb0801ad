"""AOT: associating objects with transformers (Yang et al. 2021), with LSTT block V1 or V2."""
