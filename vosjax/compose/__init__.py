"""Combinators of networks; each takes a `Vos` and returns a `Vos`, so they nest.

combinators  flip, scale, ensemble
groups       room for more objects than a network has slots
views        test-time augmentation
"""
