"""Misbehaving programs and servers: time and size are bounded."""

import subprocess
import time

import pytest

from mailboxes.mailserver.autoresponder import answers
from tests.mailboxes.autoresponder.post import FRIEND, notes, vacation

TAKE = 'cat > "{folder}/$$.part"; mv "{folder}/$$.part" "{folder}/$$.mail"\n'
# program → (status, log message, answers passed to sendmail, whether it is recorded)
PROGRAMS = {
    "takes it and says much": (TAKE + "head -c 9000000 /dev/zero >&2\n", 0, "answered", 1),
    "says much and refuses": ("head -c 9000000 /dev/zero >&2; exit 75\n", 75, "exited with 75", 0),
    "refuses for ever": ("cat >/dev/null; echo 5.7.1 no >&2; exit 69\n", 75, "69 5.7.1 no", 0),
    "refuses for now": ("echo '451 4.3.0 later' >&2; exit 75\n", 75, "75 451 4.3.0 later", 0),
    "reads a part and ends": ("head -c 20 >/dev/null; exit 75\n", 75, "exited with 75", 0),
    "is killed": ("kill -9 $$\n", 75, "exited with -9", 0),
    "one endless line": ("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1\n", 75, "xxx", 0),
    "leaves somebody behind": (TAKE + "sleep 30 &\n", 0, "answered", 1),
    "never reads": ("exec sleep 30\n", 75, "timed out after 1 s", 0),
    "reads slowly": ("while :; do sleep 0.4; head -c 1 >/dev/null; done\n", 75, "timed out", 0),
    "talks for ever": ("exec yes >&2\n", 75, "timed out after 1 s", 0),
    "takes it and never ends": (TAKE + "sleep 30\n", 0, "cannot determine whether", 1),
    "does not want to end": ("trap '' TERM; while :; do sleep 0.2; done\n", 75, "timed out", 0),
}


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(answers, "SENDMAIL_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(answers, "TERMINATE_TIMEOUT_SECONDS", 0.5)


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_answer_is_silently_lost_or_sent_twice(post, hasty, name):
    program, status, said, number = PROGRAMS[name]
    vacation(body="I am at the sea. " * 20)
    good = post.sendmail.read_text()
    post.sendmail.write_text("#!/bin/sh\n" + program.format(folder=post.folder))
    start = time.monotonic()
    assert post.deliver() == status
    assert time.monotonic() - start < 20
    assert said in post.log.getvalue() and len(post.log.getvalue()) < 2000
    assert len(post.answers()) == number
    assert list(notes()) == ([FRIEND] if number else [])
    post.sendmail.write_text(good)
    assert post.deliver() == 0
    assert len(post.answers()) == 1


def test_a_long_answer_is_handed_over_whole(post):
    vacation(body="I am at the sea.\n" * 30_000)
    assert post.deliver() == 0
    [answer] = post.answers()
    assert answer.get_content().count("sea") == 30_000


def test_a_hanging_program_is_killed(post, hasty):
    post.sendmail.write_text("#!/bin/sh\nsleep 4242 &\nsleep 4242\n")
    assert post.deliver() == 75
    deadline = time.monotonic() + 10
    while "sleep 4242" in running_commands():  # a busy machine takes a moment to end them
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running_commands():
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True)
    return listed.stdout.splitlines()
