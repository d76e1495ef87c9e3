"""What an operator sees of the panel at work: its log, its slow queries, its numbers."""
