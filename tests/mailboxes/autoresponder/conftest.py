"""Fixtures: users with vacations."""

import pytest

from domains.models import Domain
from mailboxes.mailserver import autoresponder
from mailboxes.mailserver.autoresponder import log
from mailboxes.models import Alias, Mailbox
from mailboxes.models import Vacation as Row
from tests.mailboxes.autoresponder.post import Post, at, environ


@pytest.fixture
def post(transactional_db, tmp_path, monkeypatch):
    """A mail server; bob and carol have vacations, alice does not."""
    for name in ("example.org", "example.com", "alias.example"):
        Domain.objects.create(domain=name, active=True)
    for name in ("alice@example.org", "bob@example.org", "carol@example.com"):
        local_part, _, domain = name.partition("@")
        person = {"username": name, "local_part": local_part, "domain_id": domain}
        Mailbox.objects.create(**person, name=local_part.title(), password="x", maildir="x")
        Alias.objects.create(address=name, goto=name, domain_id=domain)
    for name in ("bob@example.org", "carol@example.com"):
        target = f"{name.replace('@', '#')}@autoreply.localhost,{name}"
        Alias.objects.filter(pk=name).update(goto=target)
        text = {"subject": "Away", "body": "I am at the sea."}
        domain = name.partition("@")[2]
        dates = {"activefrom": at(days=-7), "activeuntil": at(days=7)}
        Row.objects.create(mailbox_id=name, domain_id=domain, **text, **dates)
    post = Post(tmp_path, autoresponder.load_settings(environ=environ()))
    monkeypatch.setattr(log, "log_stream", post.log)
    return post
