"""`mailserver upgrade`: mail and logins before and after the conversion."""

import pytest

from mailboxes.models import Mailbox, Usage
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.dovecot_server import Dovecot, Shared, make_certificate, only_with, version_tested
from tests.mailboxes.dovecot_upgrade import configuration, upgrade
from tests.mailboxes.generated_files import has_messages, receive
from tests.mailservers import MailServer
from tests.servers import free_port


def upgraded(server):
    """The files for 2.3 and the converted files in their place."""
    server._write()
    old, new = server.folder / "old", server.folder / "dovecot"
    new.rename(old)
    for path in old.iterdir():
        path.write_text(path.read_text().replace(f"{new}/", f"{old}/"))
    upgrade(old, f"--output={new}")


@pytest.mark.mailserver
@mailservers.needs_root
def test_mail_is_delivered_and_read_after_conversion(transactional_db, request):
    only_with("2.4")
    build_world()
    Mailbox.objects.filter(pk="carol@example.com").update(maildir="example.com/carol")  # a file
    with MailServer(write=upgraded, dovecot_version="2.3") as server:
        mailservers.open_database(server, request)
        server.run()
        for address in ("bob@example.org", "carol@example.com"):
            receive(server, address)
            assert has_messages(server, address, 1)
            assert Usage.objects.get(pk=address).messages == 1
        assert len(server.mails("bob@example.org")) == 1
        assert (server.folder / "mail/example.com/carol").is_file()
        with server.dovecot.imap() as imap, pytest.raises(imap.error):
            imap.login("bob@example.org", f"not {PASSWORD}")
        quota = server.dovecot.tool("quota", "get", "-u", "bob@example.org").stdout
        assert "100000" in quota  # kB: 100 of the panel's MB


EACH_KEPT_ALL_OUT = """\
protocols = imap
ssl = required
disable_plaintext_auth = no
ssl_cert = <{certificate}
ssl_key = <{certificate}
ssl_options = no_compression
first_valid_uid = 1
auth_mechanisms = plain
login_greeting = %{{hostname}}
mail_location = maildir:~/Maildir:INDEX=~/index:LAYOUT=fs
mail_log_prefix = "%s(%u)<%{{pid}}>: "
mail_attachment_dir = {folder}/attachments
mail_plugins = acl quota notify replication
namespace own {{
  inbox = yes
  separator = /
}}
namespace {{
  type = public
  separator = /
  prefix = Public/
  location = mdbox:{folder}/public
}}
namespace {{
  type = shared
  separator = /
  prefix = shared/%%u/
  location = maildir:%%h/Maildir
  list = children
}}
plugin {{
  acl = vfile
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
  quota_rule2 = Trash:storage=+100M
}}
passdb {{
  driver = static
  args = password=x
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={folder}/%n{mail}
}}
"""
# Where the mail of each user is → where INBOX has its index.
OWN_PLACES = {
    "": "index/INBOX",
    " mail=mdbox:~/own": "own/mailboxes/INBOX/dbox-Mails",
    " mail=maildir:~/own": "own",
}


@pytest.mark.mailserver
@mailservers.needs_root
@pytest.mark.parametrize("mail", OWN_PLACES)
def test_logins_and_mail_locations_are_unchanged_after_conversion(mail):
    """The same files on both: 2.3 has the originals, 2.4 the converted ones."""
    ports = {name: free_port() for name in ("imaps", "pop3s")}
    with Shared() as shared, Dovecot(shared.folder, ports) as server:
        home = shared.folder / "mail"
        home.mkdir()
        home.chmod(0o777)
        certificate = make_certificate(shared.folder)
        text = EACH_KEPT_ALL_OUT.format(folder=home, certificate=certificate, mail=mail)
        folder = shared.folder / "dovecot"
        if version_tested() == "2.4":
            old = shared.folder / "old"
            old.mkdir()
            upgrade(configuration(old, text), f"--output={folder}")
        else:
            configuration(folder, text)
        server.adapt()
        server.run()
        with server.imap() as imap:
            imap.login("bob@example.org", "x")
            assert imap.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
            assert imap.append("Trash", None, None, b"")[0] == "NO"  # does not exist
            assert imap.create("Trash")[0] == "OK"
        index = home / "bob" / OWN_PLACES[mail] / "dovecot.index.log"
        assert index.exists(), sorted(home.rglob("dovecot.index.log"))
