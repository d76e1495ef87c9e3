"""Set up a device: the pages that make an app password and show how to enter it."""
