"""A web panel for mail servers that keep their domains and mailboxes in PostfixAdmin's tables."""

import os
import sys

__version__ = "0.1.0"


def main():
    """Run a management command: `manage.py` and the console script `mailadmin`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
