"""What a run keeps about itself: its record, its signals, and what differs between two runs."""
