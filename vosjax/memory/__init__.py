"""The memory of every network: a ring bank (`bank`), and its masked (top-k) read (`read`)."""

from vosjax.memory.bank import Bank, grow, init, write

__all__ = ["Bank", "grow", "init", "write"]
