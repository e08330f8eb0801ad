"""What can be asked of a tracker on a whole video."""

DIRECTIONS = ("both", "forward", "backward")  # in which objects are followed from given frames
