"""Workers that are killed before each of their steps, and several workers at one queue.

Run as `python -m tests.killed_workers KIND` on an empty database that `migrate` has seen. A step is
a statement, or what is sent to the SMTP server or received from it. Prints JSON, for the test.
"""

import json
import os
import random
import re
import signal
import smtplib
import sys
import time

import django
from django.db import connection

KILLED = -signal.SIGKILL
WORKERS, MAILS = 4, 60


def main():
    django.setup()
    from django.conf import settings

    from mailadmin import registry
    from tests.mailadmin.mails.smtp_servers import Receiver

    registry.housekeeping_tasks.clear()
    with Receiver() as receiver:
        settings.EMAIL_PORT = receiver.port
        print(
            json.dumps({"killed": kill_at_each_step, "several": run_several}[sys.argv[1]](receiver))
        )


def kill_at_each_step(receiver):
    """Return for each kill: the step before it, and what arrived in the end."""
    found, status = [], KILLED
    while status == KILLED:
        receiver.accepted.clear()
        connection.close()
        mail = add_mails(1)[0]
        reading, writing = os.pipe()
        status = wait(in_child(work, len(found), writing))
        os.close(writing)
        with os.fdopen(reading) as pipe:
            step = pipe.read()
        before = len(receiver.accepted)
        state = read_state(mail)
        expire_leases()
        assert wait(in_child(work)) == 0
        found.append(
            {
                "step": step,
                "state": state,
                "accepted_before": before,
                "accepted": len(receiver.accepted),
                "ids": sorted({find_message_id(content) for _to, content in receiver.accepted}),
                "final_state": read_state(mail),
            }
        )
    assert status == 0
    return found


def run_several(receiver):
    """Return how many mails arrived how often, sent by several workers at the same time."""
    add_mails(MAILS)
    children = [in_child(work_slowly) for _number in range(WORKERS)]
    assert [wait(child) for child in children] == [0] * WORKERS
    ids = [find_message_id(content) for _to, content in receiver.accepted]
    return {"arrived": len(ids), "different": len(set(ids)), "states": read_states()}


def in_child(function, *arguments):
    """Run the function in a process of its own, with a connection of its own; return its number."""
    connection.close()
    if child := os.fork():
        return child
    status = 1
    try:
        function(*arguments)
        status = 0
    finally:
        os._exit(status)


def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def work(steps=None, pipe=None):
    """Run the worker until nothing is due; killed as soon as it has done so many steps."""
    from django.core.management import call_command

    if steps is None:
        call_command("worker", once=True, skip_checks=True)
        return
    left = iter(range(steps))

    def step(label):
        if next(left, None) is None:
            os.write(pipe, label.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def before_statement(execute, sql, *rest):
        step(f"statement {sql[:60]}")
        return execute(sql, *rest)

    send = smtplib.SMTP.send

    def before_sending(self, text):
        step(f"send {text[:20]!r}")
        return send(self, text)

    from mailadmin.bounded_smtp import BoundedSessionMixin

    receive = BoundedSessionMixin.getreply

    def around_reply(self):
        step("wait for a reply")
        reply = receive(self)
        step(f"received {reply[0]} {reply[1].decode()[:30]}")
        return reply

    smtplib.SMTP.send, BoundedSessionMixin.getreply = before_sending, around_reply
    with connection.execute_wrapper(before_statement):
        call_command("worker", once=True, skip_checks=True)


def work_slowly():
    """Run the worker such that others read what it has read before it writes."""

    def before_statement(execute, sql, *rest):
        if sql.startswith("UPDATE"):
            time.sleep(random.uniform(0, 0.01))
        return execute(sql, *rest)

    with connection.execute_wrapper(before_statement):
        work()


def add_mails(count):
    from mailadmin.mails.models import OutgoingMail
    from mailadmin.mails.queue import NewMail, queue_mails
    from tests.mailadmin.mails.queued import EVENT

    OutgoingMail.objects.all().delete()
    queue_mails("new_sign_in", [NewMail(f"bob{n}@example.org", EVENT, "en") for n in range(count)])
    return list(OutgoingMail.objects.order_by("pk"))


def expire_leases():
    from mailadmin.mails.models import OutgoingMail

    OutgoingMail.objects.filter(state="sending").update(due="2026-01-01T00:00:00Z")


def read_state(mail):
    mail.refresh_from_db()
    return mail.state


def read_states():
    from mailadmin.mails.models import OutgoingMail

    return sorted(set(OutgoingMail.objects.values_list("state", flat=True)))


def find_message_id(content):
    return re.search(rb"^Message-ID: (.*)\r$", content, re.MULTILINE)[1].decode()


if __name__ == "__main__":
    main()
