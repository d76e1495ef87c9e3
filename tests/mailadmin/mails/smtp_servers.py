"""SMTP servers that do what a test wants."""

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
    """A server that accepts the mail and disconnects without replying to QUIT."""

    def serve(self, client):
        with client, client.makefile("rb") as lines:
            for reply in self.script:
                client.sendall(reply)
                self.heard.append(lines.readline())
            while lines.readline().strip() != b".":
                pass
            client.sendall(b"250 taken\r\n")
