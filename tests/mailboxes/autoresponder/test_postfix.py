"""The autoresponder run by a real Postfix."""

import json
import subprocess
import time

import pytest

from tests import mail_receivers, mailservers, postfix_server, servers
from tests.mailboxes.autoresponder.post import FRIEND, build_mail, environ

PIPE = """\
mailadmin-autoreply unix - n n - - pipe flags=Rq user=nobody null_sender=
  argv={folder}/bridge/run --sender=${{sender}} --recipient=${{recipient}}
  --original-recipient=${{original_recipient}}
"""
MAPS = {
    "virtual_alias_domains": "example.org, example.com",
    "virtual_alias_maps": "inline:{ { bob@example.org = bob#example.org@autoreply.localhost },"
    " { carol@example.com = carol#example.com@autoreply.localhost } }",
    "transport_maps": "inline:{ autoreply.localhost=mailadmin-autoreply:, example.net=discard: }",
    "recipient_delimiter": "+",
}


@pytest.fixture(scope="module")
def server():
    """A Postfix with the autoresponder in its master.cf."""
    with postfix_server.Postfix(MAPS) as postfix:
        with (postfix.config / "master.cf").open("a") as file:
            file.write(PIPE.format(folder=postfix.folder))
        postfix.bridge = mail_receivers.Bridge(postfix.folder)
        yield postfix.run()


@pytest.fixture
def postfix(server, post):
    """A Postfix with the tests' users, whose pipe(8) runs its command."""
    environment = environ()

    def run(arguments, mail):
        return subprocess.run(
            [*post.program(), f"--sendmail={post.sendmail}", *arguments],
            input=mail,
            capture_output=True,
            env=environment,
        )

    with server.bridge.serving(run):
        yield server


def smtp(postfix, sender, mail=None, recipients=("bob+news@example.org",)):
    """Send it and return its queue ID."""
    with postfix.smtp() as client:
        client.ehlo()
        client.mail(sender)
        for recipient in recipients:
            client.rcpt(recipient)
        _code, reply = client.data(build_mail() if mail is None else mail)
    return postfix_server.queue_id(reply)


def wait_for_log(postfix, identity):
    """Return the log lines about it until it leaves the queue."""
    return "\n".join(postfix.log_of(identity))


@pytest.mark.mailserver
@mailservers.needs_root
def test_postfix_runs_the_responder(postfix, post):
    assert "relay=mailadmin-autoreply" in wait_for_log(postfix, smtp(postfix, FRIEND))
    assert post.envelopes() == [["-i", "-f", "<>", "--", FRIEND]]
    [answer] = post.answers()
    assert answer["In-Reply-To"] == "<1@example.net>"
    renamed = build_mail(To="bob+news@example.org", Return_Path="<x@example.net>")
    for sender in ("", "noreply@example.net", '"a,b"@example.net', FRIEND):
        assert "status=sent" in wait_for_log(postfix, smtp(postfix, sender, renamed))
    assert len(post.answers()) == 1


@pytest.mark.mailserver
@mailservers.needs_root
def test_postfix_passes_several_recipients_at_once(postfix, post):
    mail = build_mail(Cc="carol@example.com")
    identity = smtp(postfix, FRIEND, mail, ("bob@example.org", "carol@example.com"))
    assert wait_for_log(postfix, identity).count("status=sent") == 2
    assert {answer["From"] for answer in post.answers()} == {
        "Bob <bob@example.org>",
        "Carol <carol@example.com>",
    }


@pytest.mark.mailserver
@mailservers.needs_root
def test_postfix_queues_the_mail_until_it_can_be_answered(postfix, post):
    with post.with_sendmail("busy"):
        identity = smtp(postfix, FRIEND)
        words = f"{identity}: to=<bob#example.org+news@autoreply.localhost>"
        assert "(the vacation responder is not available" in wait_for(postfix, words)
    wait_until_deferred(postfix, identity)  # while it is active, a flush would not reach it
    postfix.tool("postqueue", "-f")
    assert "status=sent" in wait_for_log(postfix, identity)
    assert len(post.answers()) == 1


@pytest.mark.mailserver
@mailservers.needs_root
def test_postfixs_sendmail_accepts_an_empty_sender(server, post):
    post.sendmail = servers.command("sendmail")
    result = post.run_command(
        environ=environ(MAIL_CONFIG=str(server.config)), sender="-x@example.net"
    )
    assert result.returncode == 0, result.stderr
    identity = wait_for(server, "uid=0 from=<>").split(": ")[1]
    assert "to=<-x@example.net>" in "\n".join(server.log_of(identity))


def wait_until_deferred(server, identity):
    deadline = time.monotonic() + servers.PATIENCE
    while time.monotonic() < deadline:
        queued = map(json.loads, server.tool("postqueue", "-j").stdout.splitlines())
        if (identity, "deferred") in {(each["queue_id"], each["queue_name"]) for each in queued}:
            return
        time.sleep(0.02)
    raise AssertionError(f"{identity} is not in the deferred queue")


def wait_for(server, words):
    deadline = time.monotonic() + servers.PATIENCE
    while time.monotonic() < deadline:
        lines = server.maillog.read_text().splitlines()
        if found := next((line for line in lines if words in line), None):
            return found
        time.sleep(0.02)
    raise AssertionError("\n".join(lines))
