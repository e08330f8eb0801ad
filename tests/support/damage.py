"""Ways in which the bytes of a file are damaged, for tests with damaged files."""


def flipped(data, rng):
    """One to three bits are the other way round."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data, rng):
    """Only its beginning is left."""
    return data[: rng.randrange(len(data))]
