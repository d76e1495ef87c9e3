"""SMTP servers that do what a test wants."""

import contextlib
import socket
import threading
import time

HELLO = (b"220 mail.test\r\n", b"250 mail.test\r\n")
OK = b"250 ok\r\n"


class HostileServer(threading.Thread):
    """A server that runs `script` with each client, replies alternating with the client's lines."""

    def __init__(self, *script, then=b"", first=b""):
        super().__init__(daemon=True)
        self.script, self.then, self.first = script, then, first
        self.connections, self.heard = 0, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.server.close()

    def run(self):
        while True:
            try:
                client, _address = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with client, client.makefile("rb") as lines:
                for reply in self.script:
                    client.sendall(reply)
                    self.heard.append(lines.readline())
                client.sendall(self.first)
                while self.then:
                    client.sendall(self.then)
                    time.sleep(0.05 if len(self.then) < 10 else 0)
        except OSError:
            return


class TakingServer(HostileServer):
    """A server that takes the mail, gives this reply, and disconnects."""

    reply = b"250 taken\r\n"

    def serve(self, client):
        with client, client.makefile("rb") as lines:
            for reply in self.script:
                client.sendall(reply)
                self.heard.append(lines.readline())
            while lines.readline().strip() != b".":
                pass
            client.sendall(self.reply)


class Receiver(threading.Thread):
    """A server that speaks SMTP correctly, with TLS if it is given a context, and keeps mails."""

    def __init__(self, tls=None, starttls=False):
        super().__init__(daemon=True)
        self.tls, self.starttls = tls, starttls
        self.accepted = []  # (recipient, content)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.server.getsockname()[1]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.server.close()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _address = self.server.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), client:
            if self.tls and not self.starttls:
                client = self.tls.wrap_socket(client, server_side=True)
            self.talk(client)

    def talk(self, client, is_encrypted=False, is_greeted=False):
        lines, recipient = client.makefile("rb"), ""
        if not is_greeted:
            client.sendall(b"220 mail.test ESMTP\r\n")
        for line in lines:
            command = line[:4].upper()
            if command == b"EHLO":
                offer = b"250-STARTTLS\r\n" if self.starttls and not is_encrypted else b""
                client.sendall(b"250-mail.test\r\n" + offer + b"250 8BITMIME\r\n")
            elif command == b"STAR":
                client.sendall(b"220 go\r\n")
                with contextlib.closing(self.tls.wrap_socket(client, server_side=True)) as secure:
                    self.talk(secure, is_encrypted=True, is_greeted=True)
                return
            elif command == b"DATA":
                client.sendall(b"354 go\r\n")
                content = self.read_content(lines)
                if content is None:
                    return
                self.accepted.append((recipient, content))
                client.sendall(b"250 2.0.0 taken\r\n")
            elif command == b"QUIT":
                client.sendall(b"221 bye\r\n")
                return
            else:
                recipient = line[8:].strip(b"<>\r\n").decode() if command == b"RCPT" else recipient
                client.sendall(OK)

    def read_content(self, lines):
        """Return what is sent up to the dot; None if the connection ends before it."""
        content = []
        for line in lines:
            if line == b".\r\n":
                return b"".join(content)
            content.append(line)
        return None
