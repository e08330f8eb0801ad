"""What a run keeps about itself: its record, books, digests and signals, and how runs differ."""
