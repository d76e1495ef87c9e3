"""Servers of the tests of delivery."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from domains.models import Transport
from mailadmin.conf import BASE_DIR
from tests import mail_receivers, servers
from tests.mailboxes.delivery.sending import add_transport
from tests.mailboxes.routed_mail import reload


@pytest.fixture
def server(running, transactional_db):
    running.delete_mails()
    return running


@pytest.fixture(scope="module")
def external_server():
    """An external mail server."""
    with mail_receivers.Sink() as sink:
        yield sink.run()


@pytest.fixture
def sink(external_server):
    external_server.delete_mails()
    return external_server


@pytest.fixture
def responder(server):
    """A program that replaces the panel's command for Postfix's pipe(8)."""
    bridge = mail_receivers.Bridge(server.folder)
    master = server.config / "master.cf"
    text = master.read_text()
    master.write_text(text.replace(str(BASE_DIR / "manage.py"), str(bridge.program)))
    assert master.read_text() != text
    server.tool("postfix", "reload")
    with bridge.serving(lambda arguments, mail: autoreply(server, arguments, mail)):
        yield


def autoreply(server, arguments, mail):
    """Run the autoresponder with Postfix's arguments and only the generated settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAILADMIN_")}
    if connection.vendor == "sqlite":
        own["MAILADMIN_DATABASE_URL"] = f"sqlite://{connection.settings_dict['NAME']}"
    program = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    return subprocess.run(
        [*program, f"--sendmail={servers.command('sendmail')}"],
        input=mail,
        capture_output=True,
        env=own | {"MAIL_CONFIG": str(server.config)},
    )


@pytest.fixture
def star(server):
    """Set the wildcard row; Postfix caches `*` for half a minute unless restarted."""

    def set_star(transport):
        add_transport("*", transport)
        reload(server)

    yield set_star
    Transport.objects.all().delete()
    reload(server)
