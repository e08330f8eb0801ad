"""What a run keeps about itself: its record, books and signals, and what differs from another."""
