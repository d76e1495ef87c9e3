"""Django's MySQL backend for a database of several hosts, of which one may be gone."""
