"""Data sets and preprocessing."""
