"""A run's record, its signals, and what differs between two runs."""
