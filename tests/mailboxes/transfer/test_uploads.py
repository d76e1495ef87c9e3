"""Bounds of uploaded archives."""

import io
import struct
import zipfile
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from mailadmin.jobs.models import Job
from tests.base import World


class UploadTests(World):
    def zipped(self, *sizes):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, size in enumerate(sizes):
                archive.writestr(f"{number}.csv", b"\0" * size)
        return SimpleUploadedFile("rows.zip", file.getvalue())

    @override_settings(MAILADMIN_UPLOAD_MB=2)
    def test_an_archive_counts_with_its_unpacked_size(self):
        self.sign_in(self.alice)
        answer = self.client.post(
            "/import/", {"format": "csv", "file": self.zipped(2**20, 2**20, 9)}
        )
        self.assert_refused(answer, "larger than the maximum of 2 MB")
        self.assertFalse(Job.objects.exists())
        answer = self.client.post("/import/", {"format": "csv", "file": self.zipped(2**20)})
        self.assertEqual(answer.status_code, 302)

    def test_an_endless_file_list_is_not_read(self):
        entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *([0] * 18)) + b""
        listed = entry * (4 * 2**20 // len(entry))
        count, size = len(listed) // len(entry), len(listed)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count % 65536, count % 65536, size, 0, 0)
        hidden = struct.pack(
            "<4s4s2H2LH", b"PK\5\6", b"PK\5\6", count % 65536, count % 65536, size, 0, 0
        )
        large = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)  # 64-bit numbers follow
        self.sign_in(self.alice)
        for body in (
            listed + end,
            listed + hidden,
            large + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0),
        ):
            file = SimpleUploadedFile("rows.zip", body)
            with mock.patch("zipfile.ZipFile", side_effect=AssertionError("it was read")):
                answer = self.client.post("/import/", {"format": "csv", "file": file})
            self.assert_refused(answer, "too large for a mail server")

    def test_an_archive_with_a_high_compression_ratio_is_refused(self):
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from mailboxes.transfer.entries import SourceError
        from mailboxes.transfer.readers import unpacking

        with TemporaryDirectory() as folder:
            path = Path(folder, "bomb.zip")
            path.write_bytes(self.zipped(2**25).read())
            with self.assertRaises(SourceError), unpacking.unpack_to_temporary_folder(path):
                pass
            path.write_bytes(self.zipped(2**20).read())
            with unpacking.unpack_to_temporary_folder(path) as found:
                self.assertTrue(list(found.iterdir()))
