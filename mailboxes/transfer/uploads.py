"""Files that wait to be read by the worker: in the database, sealed, and gone once they are read.

They may hold passwords as they are typed; who reads the database alone cannot open them.
"""

import base64
import hashlib
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils.translation import gettext as _

from mailboxes.models import UploadPiece
from mailboxes.transfer.entries import UnfitSource

PREFIX = "mailadmin-upload-"
OLD = 3600  # seconds
TEMPORARY = re.compile(rf"{re.escape(tempfile.gettempdir())}/mailadmin-[^/\\s,:]*/?")
LONGEST_NAME = 60  # letters, of four bytes at most
PIECE = 2**19  # bytes; smaller than what any server takes in one packet


def sealer():
    """Opened only by a panel with the same secret key."""
    key = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"upload").digest()
    return Fernet(base64.urlsafe_b64encode(key))


def keep_upload(plan, file):
    """Seal a file, piece by piece."""
    seal = sealer()
    for piece in file.chunks(PIECE):
        UploadPiece.objects.create(plan=plan, sealed=seal.encrypt(piece))


def forget_upload(number):
    UploadPiece.objects.filter(plan=number).delete()


@contextmanager
def unsealed(plan):
    """The path of the file as it was uploaded, while it is read."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as folder:
        path = Path(folder) / (Path(plan.source).name[-LONGEST_NAME:] or "upload")
        with path.open("wb") as file:
            for piece in UploadPiece.objects.filter(plan=plan).order_by("pk").iterator(1):
                file.write(opened(piece))
        yield path


def shown(text):
    """What is told of an upload, without the folder in which it lies meanwhile."""
    return TEMPORARY.sub("", text)


def sweep():
    """Take away what a worker that was killed has left on the disk."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        process = folder.name.removeprefix(PREFIX).partition("-")[0]
        old = time.time() - folder.stat().st_mtime > OLD
        if process.isdigit() and old and not Path(f"/proc/{process}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def opened(piece):
    try:
        return sealer().decrypt(bytes(piece.sealed))
    except InvalidToken as error:
        text = _("The file was uploaded under another secret key: upload it once more.")
        raise UnfitSource(text) from error
