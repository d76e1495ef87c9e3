"""Views with the names and columns of older systems, so that their map files go on working."""
