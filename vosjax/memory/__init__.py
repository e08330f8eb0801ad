"""The memory of every network: a ring bank (`bank`), and its masked (top-k) read (`read`).

affinity   logits of queries with memory elements; KMN's kernel
softmax    the read of everything, frame by frame, and its derivative
top_k      the exact search for the largest logits
read       `read`: one of the two
"""

from vosjax.memory.bank import Bank, drop, init, unpin, write

__all__ = ["Bank", "drop", "init", "unpin", "write"]
