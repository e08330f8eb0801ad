"""Boundary patch refinement (BPR): the network, and its place after a tracker."""
