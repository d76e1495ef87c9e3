"""A zip of files, made while it is sent."""

import zipfile

FLUSH_BYTES = 2**16  # bytes


class ZipBuffer:
    """What zipfile writes to: the bytes wait here until they are sent."""

    def __init__(self):
        self.waiting, self.size = [], 0

    def write(self, data):
        self.waiting.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self):
        """zipfile asks for it; there is nothing to do."""

    def taken(self):
        data, self.waiting, self.size = b"".join(self.waiting), [], 0
        return data


def iter_zip(files):
    """The bytes of an archive of (name, pieces of text)."""
    outlet = ZipBuffer()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in files:
            with archive.open(name, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece.encode())
                    if outlet.size > FLUSH_BYTES:
                        yield outlet.taken()
    yield outlet.taken()
