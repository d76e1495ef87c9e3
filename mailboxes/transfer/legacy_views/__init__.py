"""SQL views with the names and columns of older systems, so that their map files keep working."""
