"""Integrity: rows that contradict each other, which other programs leave, and how to fix them."""
