"""The memory of every network: a ring bank, and its masked (top-k) read.

bank       a ring of entries of fixed capacity
affinity   logits of queries with memory elements; KMN's kernel
softmax    the read of all elements, frame by frame, and its derivative
top_k      the exact search for the k largest logits
top_read   the read of the k best elements
read       `read`, which all networks call: over all elements, or the k best
"""

from vosjax.memory.bank import Bank, drop, init, unpin, write

__all__ = ["Bank", "drop", "init", "unpin", "write"]
