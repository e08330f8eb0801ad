"""The toy as a family, found by its folder like any other."""
