"""Key-point voting: key points, found by OpenCV on the host, weight the networks of an ensemble."""
