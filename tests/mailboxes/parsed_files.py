"""Configuration files to parse, and Postfix's own parser."""

import os
import subprocess
from pathlib import Path

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from tests.servers import command

SAMPLES = Path(__file__).parent / "configurations"
POSTFIXES = sorted(path.parent.name for path in SAMPLES.glob("*/postfix"))


def postfix(folder, main_cf="", master_cf=""):
    (folder / "main.cf").write_text(main_cf)
    (folder / "master.cf").write_text(master_cf)
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))  # Postfix waits until a file has not changed for a while
    return PostfixFiles(folder)


def output_of(program, *arguments):
    ended = subprocess.run([command(program), *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def postconf(folder, *arguments):
    return output_of("postconf", "-c", str(folder), *arguments)


def squeezed(text):
    """Normalize white space, which postconf folds differently."""
    return " ".join(text.split())


# Dovecot


def dovecot(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return DovecotFiles(folder)
