"""The mail server's own programs: by PATH, and where a service's PATH may not look."""

import os
import shutil

EXTRA_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(name):
    """The path of a program, or None where it is not installed."""
    places = os.pathsep.join(filter(None, (os.environ.get("PATH"), EXTRA_PATH)))
    return shutil.which(name, path=places)
