"""Combinators: each takes and gives a `Vos`, so they nest."""
