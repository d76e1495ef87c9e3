"""An import's plan: built from rows, shown, applied and undone."""
