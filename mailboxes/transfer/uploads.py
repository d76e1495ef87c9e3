"""Uploaded files that the worker will read: stored encrypted, and deleted once they are read.

They may hold plain passwords; access to the database alone is not enough to read them.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import InvalidToken
from django.core.files.uploadedfile import UploadedFile

from mailadmin.sealing import get_cipher
from mailadmin.translation import gettext as _
from mailadmin.translation import replace_in_text
from mailboxes.models import Plan, UploadPiece
from mailboxes.transfer.entries import SourceError

CIPHER_PURPOSE = b"upload"
TEMP_FOLDER_PREFIX = "mailadmin-upload-"
STALE_SECONDS = 3600
TEMP_FOLDER_RE = re.compile(rf"{re.escape(tempfile.gettempdir())}/mailadmin-[^/\\s,:]*/?")
MAX_NAME_LENGTH = 60  # characters of up to four bytes
CHUNK_SIZE = 2**19  # bytes; fits into one packet of any MySQL server


def store_upload(plan: Plan, file: UploadedFile) -> None:
    """Store a file encrypted, in pieces."""
    cipher = get_cipher(CIPHER_PURPOSE)
    for piece in file.chunks(CHUNK_SIZE):
        UploadPiece.objects.create(plan=plan, sealed=cipher.encrypt(piece))


def delete_upload(plan_id: int) -> None:
    UploadPiece.objects.filter(plan=plan_id).delete()


@contextmanager
def decrypt_upload(plan: Plan) -> Iterator[Path]:
    """Write the file to a temporary folder, and yield its path."""
    remove_stale_folders()
    with tempfile.TemporaryDirectory(prefix=f"{TEMP_FOLDER_PREFIX}{os.getpid()}-") as folder:
        path = Path(folder) / (Path(plan.source).name[-MAX_NAME_LENGTH:] or "upload")
        with path.open("wb") as file:
            for piece in UploadPiece.objects.filter(plan=plan).order_by("pk").iterator(1):
                file.write(decrypt_piece(piece))
        yield path


def hide_temp_folder(text: str) -> str:
    """Remove the temporary folder of an upload from a text."""
    return replace_in_text(text, lambda part: TEMP_FOLDER_RE.sub("", part))


def remove_stale_folders() -> None:
    """Delete folders that killed workers have left in the temporary folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMP_FOLDER_PREFIX}*-*"):
        process_id = folder.name.removeprefix(TEMP_FOLDER_PREFIX).partition("-")[0]
        is_old = time.time() - folder.stat().st_mtime > STALE_SECONDS
        if process_id.isdigit() and is_old and not Path(f"/proc/{process_id}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def decrypt_piece(piece: UploadPiece) -> bytes:
    try:
        return get_cipher(CIPHER_PURPOSE).decrypt(bytes(piece.sealed))
    except InvalidToken as error:
        text = _("The file was uploaded with a different secret key. Upload it again.")
        raise SourceError(text) from error
