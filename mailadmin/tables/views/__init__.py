"""The pages of every table."""
