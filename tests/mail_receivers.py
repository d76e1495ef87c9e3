"""What receives mail in tests: an external server, and a program of pipe(8)."""

import concurrent.futures
import contextlib
import email
import email.policy
import os
import smtplib
import threading

from tests.postfix_server import NOBODY
from tests.servers import Server, free_port


def read_mail(path):
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


class Sink(Server):
    """An external mail server that accepts and stores everything."""

    def __init__(self):
        super().__init__()
        self.port = free_port()
        os.chown(self.folder, *NOBODY)

    def run(self):
        place = f"127.0.0.1:{self.port}"
        self.start("smtp-sink", "-u", "nobody", "-d", "mail.", place, "100", cwd=self.folder)
        self.wait_until(self._answers)
        return self

    def _answers(self):
        try:
            smtplib.SMTP("127.0.0.1", self.port).quit()
        except (OSError, smtplib.SMTPException):
            return False
        return True

    def mails(self):
        """Return the received mails, with `X-Rcpt-Args` for each recipient."""
        return [read_mail(path) for path in sorted(self.folder.glob("mail.*"))]

    def recipients(self):
        found = [mail.get_all("X-Rcpt-Args", []) for mail in self.mails()]
        return sorted(text.partition(">")[0].strip("<") for texts in found for text in texts)

    def delete_mails(self):
        for path in self.folder.glob("mail.*"):
            path.unlink()


# Postfix runs it as a user who may be unable to read this Python: the tests run the command.
BRIDGE = """#!/bin/sh
mkdir "$0.$$" && cd "$0.$$" || exit 99
printf '%s\\n' "$@" > arguments
cat > mail
touch ready
until [ -e status ]; do sleep 0.02; done
cat said
exit "$(cat status)"
"""


class Bridge:
    """A program for pipe(8), whose work is done in this process by `run(arguments, mail)`."""

    def __init__(self, folder):
        self.folder = folder / "bridge"
        self.folder.mkdir()
        os.chown(self.folder, *NOBODY)
        self.program = self.folder / "run"
        self.program.write_text(BRIDGE)
        self.program.chmod(0o755)

    @contextlib.contextmanager
    def serving(self, run):
        """Serve requests of the program in this block."""
        over = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            served = pool.submit(self._serve, over, run)
            try:
                yield
            finally:
                over.set()
            served.result()

    def _serve(self, over, run):
        while not over.wait(0.01):
            for ready in self.folder.glob("run.*/ready"):
                ready.unlink()
                self._answer(ready.parent, run)

    def _answer(self, folder, run):
        arguments = (folder / "arguments").read_text().splitlines()
        result = run(arguments, (folder / "mail").read_bytes())
        (folder / "said").write_bytes(result.stdout + result.stderr)
        (folder / "new").write_text(str(result.returncode))
        (folder / "new").rename(folder / "status")
