"""Box trackers: the box of one object in every frame, by DiMP or by the features of a VOS network."""
