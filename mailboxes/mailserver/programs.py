"""Find the mail server's own programs, also in folders that a service's PATH may lack."""

import os
import shutil

EXTRA_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(name: str) -> str | None:
    """Return the path of a program, or None if it is not installed."""
    path = os.pathsep.join(filter(None, (os.environ.get("PATH"), EXTRA_PATH)))
    return shutil.which(name, path=path)
