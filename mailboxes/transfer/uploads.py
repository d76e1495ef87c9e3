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
from mailboxes.transfer.entries import SourceError

TEMP_FOLDER_PREFIX = "mailadmin-upload-"
STALE_SECONDS = 3600  # seconds
TEMP_FOLDER_RE = re.compile(rf"{re.escape(tempfile.gettempdir())}/mailadmin-[^/\\s,:]*/?")
MAX_NAME_LENGTH = 60  # letters, of four bytes at most
CHUNK_SIZE = 2**19  # bytes; smaller than what any server takes in one packet


def get_cipher():
    """Opened only by a panel with the same secret key."""
    key = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"upload").digest()
    return Fernet(base64.urlsafe_b64encode(key))


def store_upload(plan, file):
    """Seal a file, piece by piece."""
    seal = get_cipher()
    for piece in file.chunks(CHUNK_SIZE):
        UploadPiece.objects.create(plan=plan, sealed=seal.encrypt(piece))


def delete_upload(number):
    UploadPiece.objects.filter(plan=number).delete()


@contextmanager
def decrypt_upload(plan):
    """The path of the file as it was uploaded, while it is read."""
    remove_stale_folders()
    with tempfile.TemporaryDirectory(prefix=f"{TEMP_FOLDER_PREFIX}{os.getpid()}-") as folder:
        path = Path(folder) / (Path(plan.source).name[-MAX_NAME_LENGTH:] or "upload")
        with path.open("wb") as file:
            for piece in UploadPiece.objects.filter(plan=plan).order_by("pk").iterator(1):
                file.write(decrypt_piece(piece))
        yield path


def hide_temp_folder(text):
    """What is told of an upload, without the folder in which it lies meanwhile."""
    return TEMP_FOLDER_RE.sub("", text)


def remove_stale_folders():
    """Take away what a worker that was killed has left on the disk."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMP_FOLDER_PREFIX}*-*"):
        process = folder.name.removeprefix(TEMP_FOLDER_PREFIX).partition("-")[0]
        old = time.time() - folder.stat().st_mtime > STALE_SECONDS
        if process.isdigit() and old and not Path(f"/proc/{process}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def decrypt_piece(piece):
    try:
        return get_cipher().decrypt(bytes(piece.sealed))
    except InvalidToken as error:
        text = _("The file was uploaded under another secret key: upload it once more.")
        raise SourceError(text) from error
