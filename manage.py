#!/usr/bin/env python3
"""Django's command line; installed, the same thing is called `mailadmin`."""

from mailadmin import main

if __name__ == "__main__":
    main()
