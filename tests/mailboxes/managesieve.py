"""A client of ManageSieve (RFC 5804)."""

import base64
import socket

from tests import dovecot_server


class ManageSieve:
    """The part of RFC 5804 needed to store a script."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.greeting = self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()

    def answer(self):
        """Return the lines up to OK, NO or BYE."""
        lines = []
        while not lines or not lines[-1].startswith(("OK", "NO", "BYE")):
            lines.append(self.file.readline().decode().rstrip("\r\n"))
            assert lines[-1] or len(lines) < 100
        return lines

    def send_command(self, text):
        self.socket.sendall(f"{text}\r\n".encode())
        return self.answer()

    def start_tls(self):
        assert self.send_command("STARTTLS")[-1].startswith("OK")
        self.socket = dovecot_server.unverified().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        return self.answer()

    def sign_in(self, name, password):
        credentials = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        return self.send_command(f'AUTHENTICATE "PLAIN" "{credentials}"')[-1]

    def put(self, name, script):
        return self.send_command(f'PUTSCRIPT "{name}" {{{len(script)}+}}\r\n{script}')[-1]
