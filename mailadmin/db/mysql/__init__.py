"""Django's MySQL backend for several database hosts, one of which may be down."""
