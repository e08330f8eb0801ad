"""Box trackers: one object's box in every frame, by DiMP or by a VOS network's features."""
