"""Boundary patch refinement (BPR, arXiv 2104.05239): patches along an object's boundary, decided
again by a small network of their own and laid back into the soft masks."""
