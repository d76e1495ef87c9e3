"""Run a script: without a shell, with a time limit, without the panel's own secrets."""

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

MAX_OUTPUT = 4000  # characters that are kept, the last ones
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ")


class ScriptResult(NamedTuple):
    """How a script ended; without a code it was not started, or it was ended."""

    code: int | None
    output: str


def run_script(command: Sequence[str], secret_input: str, seconds: int) -> ScriptResult:
    """Run a program with its arguments, and wait until it and what it started have ended."""
    try:
        process = subprocess.Popen(  # noqa: S603 (the operator has set the program; no shell)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return ScriptResult(None, f"{command[0]} cannot be started: {error.strerror}")
    try:
        output, _errors = process.communicate(secret_input.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _errors = process.communicate()
        text = shorten(output, secret_input)
        return ScriptResult(None, f"{text}\nIt took longer than {seconds} s and was ended.".strip())
    return ScriptResult(process.returncode, shorten(output, secret_input))


def shorten(output: bytes, secret_input: str) -> str:
    """Return the end of what a script has printed, without what it was given on its input."""
    text = output.decode(errors="replace")
    for secret in secret_input.split("\0"):
        if secret:
            text = text.replace(secret, "…")
    shown = "".join(sign for sign in text if sign.isprintable() or sign == "\n")
    return shown.strip()[-MAX_OUTPUT:]
