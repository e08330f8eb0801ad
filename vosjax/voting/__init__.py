"""Key-point voting: points found by OpenCV on the host weigh an ensemble's networks."""
