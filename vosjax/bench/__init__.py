"""Measurements that anyone can repeat: frames, input, engine, scoring, operation counts."""
