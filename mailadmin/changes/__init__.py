"""The write path: every change of a row, its log line and its change record."""
