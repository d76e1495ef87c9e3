"""Where the mail server's own programs lie; a service's PATH may not look there."""

import os
import shutil

PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(name):
    """The path of a program, or None where it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{PLACES}")
