"""Interactive segmentation: the mask of one object in one frame, from a box and clicks."""
