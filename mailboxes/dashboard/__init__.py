"""The first page, search, and the page of one domain."""
