"""Reproduce Postfix: the query of every map, the route of an address, and its explanation."""
