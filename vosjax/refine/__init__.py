"""Stages that refine soft masks of a video; none of them knows which network made the masks."""
