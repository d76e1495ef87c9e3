"""`mailserver upgrade`: conversion of Dovecot 2.3 files to equivalent files of 2.4."""

import errno
import grp
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from mailboxes.mailserver.checks import Configuration, run_checks
from mailboxes.mailserver.config_parser import dovecot
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.names import NEW_SETTINGS, RENAMED_PLUGIN_SETTINGS
from mailboxes.mailserver.config_parser.tree import is_yes
from mailboxes.mailserver.converter.convert import Conversion
from mailboxes.mailserver.converter.database import render_connection
from mailboxes.mailserver.converter.plugin import UNCHANGED_SETTINGS
from mailboxes.mailserver.converter.queries import convert_query
from mailboxes.mailserver.converter.render import iter_converted_lines, render_sections
from mailboxes.mailserver.converter.variables import UnconvertibleValue, convert_variables
from mailboxes.mailserver.generator import disk
from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.files import generate_files
from mailboxes.models import Mailbox, Usage
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.mailboxes.test_generator import has_messages, receive
from tests.mailservers import (
    FIRST_LINES,
    PASSWORDS,
    Dovecot,
    MailServer,
    Shared,
    make_certificate,
    only_with,
    version_tested,
)
from tests.programs import command
from tests.servers import free_port

HERE = Path(__file__).parent
FOLDERS = {
    f"{path.parent.parent.parent.name}/{path.parent.name}": path
    for path in sorted(
        [*HERE.glob("configurations/*/dovecot"), *HERE.glob("transfer/configurations/*/dovecot")]
    )
    if "dovecot_config_version" not in (path / "dovecot.conf").read_text()
}


def texts_of(folder):
    return sorted(path for path in folder.rglob("*.conf*") if path.is_file())


# An error of the guides: no version of Dovecot understands d%.
LEFT = {"postfixadmin": 1, "postfixadmin-cram": 1}


def upgrade(folder, *options):
    """Return the output of the command."""
    out = StringIO()
    call_command(
        "mailserver", "upgrade", f"--dovecot={folder}", *options, stdout=out, stderr=StringIO()
    )
    return out.getvalue()


def configuration(folder, text, **files):
    for name, content in {"dovecot.conf": text, **files}.items():
        (folder / name).write_text(content)
    return folder


def doveconf(folder):
    words = [command("doveconf"), "-c", str(folder / "dovecot.conf"), "-n"]
    return subprocess.run(words, capture_output=True, text=True)


def assert_accepted(folder):
    output = doveconf(folder)
    assert (output.returncode, output.stderr) == (0, "")


def lines_of(text):
    """Return the configuration without comments, each line with single spaces."""
    bare = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in bare if line and not line.startswith("#")]


# Whole folders


@pytest.fixture(params=FOLDERS)
def sample(request, tmp_path):
    """A copy of a guide's folder at the default location."""
    folder = tmp_path / "dovecot"
    shutil.copytree(FOLDERS[request.param], folder)
    for path in folder.rglob("*.conf*"):
        path.write_text(path.read_text().replace("/etc/dovecot/", f"{folder}/"))
    return folder, request.param.rpartition("/")[2]


def test_converted_guides_contain_no_2_3_settings(sample, tmp_path):
    folder, name = sample
    new = tmp_path / "new"
    lines = json.loads(upgrade(folder, f"--output={new}", "--json"))
    assert sum(each["is_lost"] for each in lines) == LEFT.get(name, 0)
    files = DovecotFiles(new)
    assert files.is_version_2_4 and files.problems == []
    found = run_checks(Configuration(dovecot_files=files))
    codes = {each.check.code for each in found}
    assert not {code for code in codes if "dovecot" in code}
    before = DovecotFiles(folder)
    assert len(files.passdbs()) == len(before.passdbs())
    assert len(files.userdbs()) == len(before.userdbs())


@pytest.mark.mailserver
def test_dovecot_2_4_accepts_converted_guides(sample, tmp_path):
    only_with("2.4")
    upgrade(sample[0], f"--output={tmp_path}/new")
    assert_accepted(tmp_path / "new")


SQL_ON = """\
driver = mysql
connect = host=localhost dbname=mail user=mail password=for-dovecot
default_pass_scheme = SHA256
password_query = SELECT userid AS user, password FROM users WHERE userid = '%n' AND domain = '%d'
user_query = SELECT home, uid, gid FROM users WHERE userid = '%u'
iterate_query = SELECT userid AS username, domain FROM users
"""
AUTH_SQL = """\
passdb {
  driver = sql
  args = %(folder)s/dovecot-sql.conf.ext
}
userdb {
  driver = sql
  args = %(folder)s/dovecot-sql.conf.ext
}
"""


def test_debians_files_with_sql_are_converted(tmp_path):
    folder = debian_12(tmp_path)
    lines = lines_of(upgrade(folder))
    assert lines[:2] == ["dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"]
    assert "!include_try /usr/share/dovecot/protocols.d/*.protocol" in lines
    assert "mail_inbox_path = /var/mail/%{user}" in lines
    query = "query = SELECT userid AS user, password FROM users WHERE"
    query += " userid = '%{user | username}' AND domain = '%{user | domain}'"
    assert query in lines


def test_files_of_2_3_are_detected_with_2_4_installed(tmp_path, monkeypatch):
    """As after an upgrade of Debian that kept the files."""
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(dovecot, "PACKAGE_FOLDER", f"{package}/")
    (package / "imapd.protocol").write_text("protocols {\n  imap = yes\n}\n")
    folder = debian_12(tmp_path)
    path = folder / "dovecot.conf"
    path.write_text(path.read_text().replace("/usr/share/dovecot/protocols.d", str(package)))
    found = run_checks(Configuration(dovecot_files=DovecotFiles(folder), dovecot_version="2.4"))
    about = {each.check.code: each.fault.about for each in found}
    assert about["files-for-another-dovecot"] == "2.3 ≠ 2.4"
    lines = lines_of(upgrade(folder))
    assert f"!include_try {package}/*.protocol" in lines
    assert not any(line.startswith("protocols") for line in lines)


@pytest.mark.mailserver
def test_dovecot_2_4_accepts_debians_files_with_sql(tmp_path):
    only_with("2.4")
    upgrade(debian_12(tmp_path), f"--output={tmp_path}/new")
    assert_accepted(tmp_path / "new")


def debian_12(folder):
    """The stock files of Debian 12, with passwords in SQL."""
    folder = folder / "dovecot"
    shutil.copytree(HERE / "configurations/debian12/dovecot", folder)
    auth = folder / "conf.d/10-auth.conf"
    auth.write_text(auth.read_text().replace("auth-system", "auth-sql"))
    (folder / "conf.d/auth-sql.conf.ext").write_text(AUTH_SQL % {"folder": folder})
    (folder / "dovecot-sql.conf.ext").write_text(SQL_ON)
    path = folder / "dovecot.conf"
    path.write_text(
        path.read_text().replace("/nowhere/protocols.d", "/usr/share/dovecot/protocols.d")
    )
    return folder


# Every setting


@pytest.mark.mailserver
def test_dovecot_2_4_accepts_every_converted_setting(tmp_path):
    all_of_them = (HERE / "doveconf-2.3.conf").read_text()
    folder = configuration(tmp_path, all_of_them)
    if version_tested() == "2.4":
        upgrade(folder, f"--output={tmp_path}/new")
        assert_accepted(tmp_path / "new")
        return
    words = [command("doveconf"), "-c", str(folder / "dovecot.conf"), "-a"]
    output = subprocess.run(words, capture_output=True, text=True).stdout
    names = re.findall(r"^(\w+) =", output, re.M)
    assert len(names) > 250
    assert {name for name in names if f"\n{name} =" not in all_of_them} == set()


@pytest.mark.mailserver
def test_converted_plugin_settings_exist_in_2_4(tmp_path):
    only_with("2.4")

    def is_unknown(name):
        text = f"{FIRST_LINES['2.4']}{name} = x\n"
        return f"Unknown setting: {name}" in doveconf(configuration(tmp_path, text)).stderr

    assert is_unknown("sieve_max_everything")
    assert [
        name
        for name in sorted(UNCHANGED_SETTINGS | {*RENAMED_PLUGIN_SETTINGS.values()})
        if is_unknown(name)
    ] == []


# Settings left to the operator although they have their default.
NOT_CONVERTED = {
    "part of 2.4 no more": "auth_stats config_cache_size director_max_parallel_kicks"
    " director_max_parallel_moves director_output_buffer_size director_ping_idle_timeout"
    " director_ping_max_timeout director_user_expire director_user_kick_delay"
    " director_username_hash old_stats_carbon_interval old_stats_command_min_time"
    " old_stats_domain_min_time old_stats_ip_min_time old_stats_memory_limit"
    " old_stats_session_min_time old_stats_user_min_time replication_dsync_parameters"
    " replication_full_sync_interval replication_max_conns replicator_host replicator_port"
    " service",  # old-stats
    "said in another way": "auth_policy_server_timeout_msecs auth_worker_max_count"
    " imapc_ssl_verify",
    "a list with variables or signs of its own": "auth_policy_request_attributes imap_id_send"
    " import_environment",
    "letters of its own": "deliver_log_format imap_logout_format login_log_format"
    " login_log_format_elements pop3_logout_format rejection_reason rejection_subject",
    "a condition": "postmaster_address",
}


def test_settings_left_unconverted_are_listed(tmp_path):
    all_of_them = (HERE / "doveconf-2.3.conf").read_text()
    lines = json.loads(upgrade(configuration(tmp_path, all_of_them), "--json"))
    lost = [each["text"].split()[0] for each in lines if each["is_lost"]]
    assert sorted(lost) == sorted(" ".join(NOT_CONVERTED.values()).split())
    assert set(re.findall(r"\w+(?= =)", all_of_them)) & NEW_SETTINGS == set()
    numbers = {each["number"] for each in lines}
    for number, line in enumerate(all_of_them.splitlines(), 1):
        assert number in numbers or not re.match(r"\w+ =", line), line
    about = {each["text"].split()[0]: each["about"] for each in lines if each["is_lost"]}
    for name in NOT_CONVERTED["said in another way"].split():
        assert about[name]


# Files written by the panel


@pytest.mark.mailserver
@pytest.mark.parametrize("delivery", ["lmtp", "lda"])
@pytest.mark.django_db
def test_dovecot_2_4_accepts_the_converted_configuration_of_the_panel(delivery, tmp_path):
    only_with("2.4")
    folder = tmp_path / "dovecot"
    choices = MailServerOptions(
        dovecot_version="2.3",
        dovecot_directory=str(folder),
        delivery=delivery,
        sieve=True,
        certificate="/etc/hostname",
        key="/etc/hostname",
        passwords=PASSWORDS,
    )
    for change in disk.iter_file_changes(generate_files(choices), {"dovecot": folder}):
        disk.write_change(change)
    lines = json.loads(upgrade(folder, f"--output={tmp_path}/new", "--json"))
    assert not [each for each in lines if each["is_lost"]]
    assert_accepted(tmp_path / "new")


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


# Single lines

CONVERTED = [
    (
        "mail_location = maildir:~/Maildir",
        "mail_driver = maildir; mail_path = ~/Maildir; mail_inbox_path = .",
    ),
    (
        "mail_location = mbox:/var/mail/%d/%n:INBOX=/var/spool/mail/%u:INDEX=MEMORY",
        "mail_driver = mbox; mail_path = /var/mail/%{user | domain}/%{user | username};"
        " mail_inbox_path = /var/spool/mail/%{user}; mail_index_path = MEMORY",
    ),
    (
        "mail_location = mdbox:~/m:INDEX=/i/%u:LAYOUT=fs\n"
        "namespace pub {\n prefix = p/\n location = maildir:/p\n}",
        "mail_driver = mdbox; mail_path = ~/m; mail_index_path = /i/%{user};"
        " mailbox_list_layout = fs; namespace pub {; prefix = p/; mail_driver = maildir;"
        " mail_path = /p; mail_inbox_path = .; mail_index_path =;"
        " mailbox_list_layout = maildir++; }",
    ),
    ("disable_plaintext_auth = no", "auth_allow_cleartext = yes"),
    ("ssl_cert = </etc/ssl/a.pem", "ssl_server_cert_file = /etc/ssl/a.pem"),
    ("ssl_prefer_server_ciphers = yes", "ssl_server_prefer_ciphers = server"),
    ("verbose_ssl = yes", "log_debug = category=ssl"),
    ("ssl_prefer_server_ciphers = Y", "ssl_server_prefer_ciphers = server"),
    ("ssl_prefer_server_ciphers = no", "ssl_server_prefer_ciphers = client"),
    ("verbose_ssl = 1", "log_debug = category=ssl"),
    ("disable_plaintext_auth = y", "auth_allow_cleartext = no"),
    ("passdb {\n driver = pam\n pass = y\n}", "passdb pam {; result_success = continue; }"),
    ("auth_username_format = %Lu", "auth_username_format = %{user | lower}"),
    ('auth_username_chars = "ab%#"', 'auth_username_chars = "ab%#"'),
    ("login_greeting = 50% of it", "!login_greeting"),
    ("mail_home = /srv/%{domain}/%1Mu", "!mail_home"),
    ("imap_capability = +X-A", "imap_capability {; X-A = yes; }"),
    ("mail_plugins = quota zlib imap_zlib", "mail_plugins = quota mail_compress"),
    ("pop3_uidl_format = %08Xu%08Xv", "pop3_uidl_format = %{uid | hex(8)}%{uidvalidity | hex(8)}"),
    ("deliver_log_format = %m: %$", "!deliver_log_format"),
    ("login_trusted_networks = 10.0.0.0/8", "login_trusted_networks = 10.0.0.0/8"),
    (
        "service imap {\n service_count = 0\n process_limit = 0\n}",
        "service imap {; restart_request_count = unlimited; }",
    ),
    ("service director {\n idle_kill = 5s\n}\nservice ipc {\n}", "!service"),
    (
        "service auth {\n idle_kill = 4294967295 secs\n vsz_limit = 18446744073709551615 B\n}",
        "service auth {; idle_kill_interval = unlimited; }",
    ),
    ("lmtp_user_concurrency_limit = 0", "lmtp_user_concurrency_limit = unlimited"),
    ("namespace {\n inbox = y\n}", "namespace inbox {; inbox = y; }"),
    ("namespace {\n inbox = yes\n}", "namespace inbox {; inbox = yes; }"),
    (
        "passdb {\n driver = passwd-file\n args = scheme=SSHA username_format=%n /etc/p/%d\n}",
        "passdb passwd-file {; passwd_file_path = /etc/p/%{user | domain};"
        " default_password_scheme = SSHA; auth_username_format = %{user | username}; }",
    ),
    (
        "passdb {\n driver = pam\n args = session=yes dovecot\n}\npassdb {\n driver = pam\n}",
        "passdb pam {; session = yes; service_name = dovecot; }; passdb pam2 {; driver = pam; }",
    ),
    (
        "userdb {\n driver = static\n args = uid=vmail gid=8 home=/v/%n allow_all_users=yes\n}",
        "userdb static {; static_allow_all_users = yes; fields {; uid = vmail; gid = 8;"
        " home = /v/%{user | username}; }; }",
    ),
    ("userdb {\n driver = static\n args = home=/v/%1Mu\n}", "userdb static {; !args; }"),
    (
        "userdb {\n driver = static\n args = uid=1 mail=maildir:/v/%u quota_rule=*:storage=1G\n}",
        "userdb static {; fields {; uid = 1; mail_driver = maildir; mail_path = /v/%{user};"
        " mail_inbox_path = .; quota_storage_size = 1G; }; }",
    ),
    (
        "passdb {\n driver = pam\n default_fields = userdb_mail=mdbox:~/m:INDEX=/i\n"
        " override_fields = userdb_quota_rule=*:bytes=5:messages=7\n}",
        "passdb pam {; fields {; userdb_mail_driver:default = mdbox;"
        " userdb_mail_path:default = ~/m; userdb_mail_index_path:default = /i;"
        " userdb_mail_inbox_path:default =; }; fields {; userdb_quota_storage_size = 5B;"
        " userdb_quota_message_count = 7; }; }",
    ),
    (
        "userdb {\n driver = static\n args = quota_rule2=Trash:storage=1G\n}",
        "userdb static {; !args; }",
    ),
    (
        "userdb {\n driver = passwd-file\n args = /etc/p/%d\n}",
        "userdb passwd-file {; passwd_file_path = /etc/p/%{user | domain}; !args; }",
    ),
    ("mail_log_prefix = %s(%u)<%{pid}>%{session}", "mail_log_prefix ="
     " %{service}(%{user})<%{process:pid}>%{session}"),
    ("login_greeting = %{hostname}", "login_greeting = %{system:hostname}"),
    ("mail_log_prefix = %{login_user}", "!mail_log_prefix"),
    ("plugin {\n quota_rule = *:storage=10%%\n}", "!quota_rule"),
    (
        "plugin {\n quota_rule2 = Trash:ignore\n}\nnamespace own {\n inbox = yes\n}",
        "namespace own {; mailbox Trash {; quota_ignore = yes; }; };"
        " namespace own {; inbox = yes; }",
    ),
    ("plugin {\n quota = count:u:noenforcing\n}", "quota u {; driver = count; enforce = no; }"),
    (
        "plugin {\n quota_warning = storage=500 quota-warning 5\n"
        " quota_warning2 = messages=900 quota-warning 9\n}",
        "!quota_warning; !quota_warning2",
    ),
    (
        "plugin {\n quota_warning = storage=80%% a 1\n quota_warning2 = storage=80%% b 2\n}",
        "quota_warning over-80-storage {; quota_storage_percentage = 80; execute a {; args = 1; };"
        " }; quota_warning over-80-storage-2 {; quota_storage_percentage = 80; execute b {;"
        " args = 2; }; }",
    ),
    (
        "plugin {\n sieve_extensions = +editheader -vacation\n"
        " sieve_global_extensions = +vnd.dovecot.pipe\n}",
        "sieve_extensions {; editheader = yes; vacation = no; };"
        " sieve_global_extensions {; vnd.dovecot.pipe = yes; }",
    ),
    ("plugin {\n sieve_extensions = fileinto\n}", "sieve_extensions = fileinto"),
    (
        "plugin {\n sieve = ~/.dovecot.sieve\n sieve_dir = ~/sieve\n}",
        "sieve_script personal {; path = ~/sieve; active_path = ~/.dovecot.sieve; }",
    ),
    (
        "plugin {\n sieve_dir = ~/s\n}",
        "sieve_script personal {; path = ~/s; active_path = ~/.dovecot.sieve; }",
    ),
    ("mail_plugins = acl replication fts_lucene", "mail_plugins = acl; !mail_plugins"),
    ("mail_plugins = expire zlib antispam", "mail_plugins = mail_compress; !mail_plugins"),
    ("auth_mechanisms = plain NTLM", "auth_mechanisms = plain; !auth_mechanisms"),
    ("auth_mechanisms = ntlm", "!auth_mechanisms"),
    (
        "mail_attachment_dir = /a/%d",
        "mail_ext_attachment_path = /a/%{user | domain}; mail_ext_attachment {; fs sis {; };"
        " fs posix {; }; }",
    ),
    (
        "mail_attachment_dir = /a\nmail_attachment_fs = posix",
        "mail_ext_attachment_path = /a; mail_ext_attachment {; fs posix {; }; }",
    ),
    (
        "mail_attachment_dir = /a\nmail_attachment_fs = sis-queue /q:posix",
        "!mail_attachment_dir; !mail_attachment_fs",
    ),
    ("ssl = required\ndisable_plaintext_auth = no", "ssl = required"),
    (
        "namespace {\n type = shared\n separator = /\n prefix = shared/%%u/\n"
        " location = maildir:%%h/Maildir\n list = children\n}",
        "!type; !separator; !prefix; !location; !list",
    ),
    (
        "service imap-login {\n inet_listener {\n  port = 1143\n }\n}",
        "service imap-login {; inet_listener port-1143 {; port = 1143; }; }",
    ),
    (
        "namespace a {\n inbox = yes\n mailbox b {\n  comment = 100%%\n }\n}",
        "namespace a {; inbox = yes; mailbox b {; comment = 100%%; }; }",
    ),
    (
        "mail_location = mdbox:/v/%{hostname}:INDEX=/i/%{pid}",
        "mail_driver = mdbox; mail_path = /v/%{system:hostname};"
        " mail_index_path = /i/%{process:pid}",
    ),
    ("ssl_options = no_compression no_ticket", "ssl_options = no_ticket"),
    ("ssl_options = no_compression\nmail_home = /x", "mail_home = /x"),
    ("ssl_protocols = !SSLv3 !TLSv1", "ssl_min_protocol = TLSv1.1"),
    ("ssl_protocols = TLSv1.2 TLSv1.3", "ssl_min_protocol = TLSv1.2"),
    (
        "dsync_remote_cmd = ssh -l%{login} %{host} doveadm dsync-server -u%u -U",
        "dsync_remote_cmd = ssh -l%{login} %{host} doveadm dsync-server -u%{user} -U",
    ),
    (
        "ssl = required\nremote 10.0.0.0/8 {\n disable_plaintext_auth = no\n}",
        "ssl = required; remote 10.0.0.0/8 {; auth_allow_cleartext = yes; }",
    ),
    ("passdb {\n driver = ldap\n args = /etc/l\n}", "!driver; !args"),
    (
        "plugin {\n quota = count:User quota\n quota_vsizes = yes\n quota_rule = *:storage=1G\n"
        " quota_rule2 = Trash:storage=+100M\n quota_grace = 10%%\n}",
        "quota \"User quota\" {; driver = count; }; quota_storage_size = 1G;"
        " namespace inbox {; inbox = yes; mailbox Trash {; quota_storage_extra = 100M; }; };"
        " !quota_grace",
    ),
    (
        "plugin {\n quota = maildir:u\n quota_warning = storage=95%% quota-warning 95 %u\n}",
        "quota u {; driver = count; }; quota_warning over-95-storage {;"
        " quota_storage_percentage = 95; execute quota-warning {; args = 95 %{user}; }; }",
    ),
    (
        "plugin {\n sieve = file:~/sieve;active=~/.dovecot.sieve\n sieve_before = /etc/s/\n}",
        "sieve_script personal {; path = ~/sieve; active_path = ~/.dovecot.sieve; };"
        " sieve_script before {; type = before; path = /etc/s/; }",
    ),
    (
        "plugin {\n sieve_before = /etc/s;bindir=~/b;name=x\n}",
        "sieve_script before {; type = before; path = /etc/s; }; !sieve_before",
    ),
    (
        "plugin {\n nobody_knows = x\n zlib_save = gz\n}",
        "!nobody_knows; mail_compress_write_method = gz",
    ),
    (
        "stats_http_rawlog_dir = /x\nold_stats_carbon_name = x",
        "!stats_http_rawlog_dir; !old_stats_carbon_name",
    ),
    ("dict {\n quota = mysql:/missing\n}", "dict_server {; !quota; }"),
]  # fmt: skip


def result(folder, text):
    """Return the lines after the fixed ones; `!name` for a setting left to the operator."""
    output = upgrade(configuration(folder, f"protocols = imap\n{text}\n"))
    kept = (
        line if not line.strip().startswith("# NOT CONVERTED") else f"!{line.split()[4]}"
        for line in output.splitlines()
    )
    return "; ".join(lines_of("\n".join(kept))[4:])


@pytest.mark.parametrize("text, expected", CONVERTED, ids=lambda text: text.split()[0])
def test_a_line_is_converted_to_2_4(text, expected, tmp_path):
    assert result(tmp_path, text) == expected


@pytest.mark.mailserver
@pytest.mark.parametrize("text", [text for text, _new in CONVERTED], ids=lambda text: text[:30])
def test_each_version_accepts_its_line(text, tmp_path):
    (tmp_path / "old").mkdir()
    old = configuration(tmp_path / "old", f"protocols = imap\n{text}\n")
    upgrade(old, f"--output={tmp_path}/new")
    output = doveconf(tmp_path / "new")
    if output.returncode and "Unknown setting: dovecot_config_version" in output.stderr:
        output = doveconf(old)  # the Dovecot under test is 2.3
    assert output.returncode == 0, output.stderr


QUOTA_DICTIONARY = """\
connect = host=localhost dbname=mail
map {
  pattern = priv/quota/storage
  table = quota
  username_field = username
  value_field = bytes
}
"""


def test_a_dictionary_is_converted_with_the_maps_of_its_file(tmp_path):
    (tmp_path / "dict.conf").write_text(QUOTA_DICTIONARY)
    assert result(tmp_path, f"dict {{\n quota = mysql:{tmp_path}/dict.conf\n}}") == (
        "dict_server {; dict quota {; driver = sql; sql_driver = mysql;"
        " !include_try dovecot-sql-connection.conf.ext; dict_map priv/quota/storage {;"
        " sql_table = quota; username_field = username; value_field bytes {; type = uint; };"
        " }; }; }; mysql localhost {; dbname = mail; }"
    )


@pytest.mark.parametrize("content", ["", "# comment\n", f"{QUOTA_DICTIONARY}map {{\n"])
def test_a_dictionary_with_an_empty_or_broken_file_is_not_converted(content, tmp_path):
    (tmp_path / "dict.conf").write_text(content)
    text = f"dict {{\n quota = mysql:{tmp_path}/dict.conf\n}}"
    assert result(tmp_path, text) == "dict_server {; !quota; }"


# Queries

MAIL = """\
SELECT CASE WHEN maildir LIKE '%/' THEN {0} ELSE {1} END AS mail, {2} AS quota_rule FROM mailbox\
"""
JOINED = {
    "sqlite": (
        "'maildir:/v/' || maildir",
        "'mbox:/v/' || maildir || '.d:INBOX=/v/' || maildir",
        "'*:bytes=' || quota",
    ),
    "mysql": (
        "CONCAT('maildir:/v/', maildir)",
        "CONCAT('mbox:/v/', maildir, '.d:INBOX=/v/', maildir)",
        "CONCAT('*:bytes=', quota)",
    ),
}


@pytest.mark.django_db
def test_the_database_splits_locations_that_cannot_be_split_statically():
    vendor = connection.vendor
    source = "(SELECT 'a/' AS maildir, 5 AS quota UNION SELECT 'b', 6) AS mailbox"
    query = convert_query(MAIL.replace("'%/'", "'%%/'").format(*JOINED[vendor]), vendor)
    with connection.cursor() as cursor:
        cursor.execute(query.replace("FROM mailbox", f"FROM {source}").replace("%", "%%"), [])
        rows = sorted(cursor.fetchall())
    assert rows == [
        ("maildir", "/v/a/", ".", "5B"),
        ("mbox", "/v/b.d", "/v/b", "6B"),
    ]


@pytest.mark.parametrize(
    "column, expected",
    [
        (
            "'maildir:/v/%d/%n' AS mail",
            "'maildir' AS mail_driver,"
            " '/v/%{user | domain}/%{user | username}' AS mail_path, '.' AS mail_inbox_path",
        ),
        (
            "CONCAT('mdbox:/v/', m) AS mail",
            "'mdbox' AS mail_driver, CONCAT('/v/', m) AS mail_path, '' AS mail_inbox_path",
        ),
        ("'*:storage=1G' AS quota_rule", "'1G' AS quota_storage_size"),
        ("'*:bytes=5M' AS quota_rule", "'5M' AS quota_storage_size"),
        ("CONCAT('*:bytes=', q, 'MB') AS quota_rule", "CONCAT('', q, 'MB') AS quota_storage_size"),
        ("'*:storage=1000' AS quota_rule", "CONCAT('1000', 'k') AS quota_storage_size"),
        ("CONCAT('*:storage=', q, 'M') AS quota_rule", "CONCAT('', q, 'M') AS quota_storage_size"),
        (
            "CONCAT('*:storage=', q) AS quota_rule",
            "CONCAT(CONCAT('', q), 'k') AS quota_storage_size",
        ),
        ("home", "home"),
    ],
)  # fmt: skip
def test_a_field_is_converted_to_2_4(column, expected):
    made = convert_query(f"SELECT {column} FROM mailbox WHERE username = '%Lu'", "mysql")
    assert made == f"SELECT {expected} FROM mailbox WHERE username = '%{{user | lower}}'"


def test_a_location_of_unknown_content_may_name_a_variable():
    expression = "CONCAT(IF(a, 'maildir:/v/%d/', 'mbox:/v/'), m)"
    made = convert_query(f"SELECT {expression} AS mail FROM mailbox", "mysql")
    converted = expression.replace("%d", "%{user | domain}")
    assert f"CASE WHEN SUBSTRING_INDEX({converted}, ':', 1) = 'maildir' THEN '.'" in made


UNITED = "SELECT home, {0} FROM a WHERE x = '%u' UNION ALL (SELECT DISTINCT {0} FROM b)"


def test_each_select_of_a_query_is_converted():
    query = UNITED.format("CONCAT('maildir:',m) AS mail").replace("%u", "%d%u")
    made = "'maildir' AS mail_driver, CONCAT('',m) AS mail_path, '.' AS mail_inbox_path"
    expected = UNITED.format(made).replace("%u", "%{user | domain}%{user}")
    assert convert_query(query, "mysql") == expected


INHERITED = [
    ("'maildir:/v'", "'maildir++' AS mailbox_list_layout, '' AS mail_index_path"),
    ("'mdbox:/v'", "'fs' AS mailbox_list_layout, '' AS mail_index_path"),
]


@pytest.mark.parametrize("value, expected", INHERITED)
def test_a_user_with_their_own_location_inherits_nothing_of_mail_location(value, expected):
    made = convert_query(f"SELECT {value} AS mail FROM m", "mysql", "", {"INDEX", "LAYOUT"})
    for column in expected.split(", "):
        assert column in made


@pytest.mark.django_db
def test_the_database_resets_settings_of_mail_location():
    vendor = connection.vendor
    text = "SELECT mail AS mail, 1 AS uid FROM mailbox"
    source = "(SELECT 'maildir:/a' AS mail UNION SELECT 'mdbox:/b:INBOX=/c' UNION SELECT NULL)"
    query = convert_query(text, vendor, "", {"INDEX", "LAYOUT"})
    with connection.cursor() as cursor:
        cursor.execute(query.replace("FROM mailbox", f"FROM {source} AS mailbox"))
        rows = sorted(cursor.fetchall(), key=str)
    assert rows == [
        ("maildir", "/a", ".", "", "maildir++", 1),
        ("mdbox", "/b", "/c", "", "fs", 1),
        (None, None, None, None, None, 1),
    ]


@pytest.mark.parametrize(
    "column",
    [
        "'maildir:~/M:LAYOUT=fs' AS mail",
        "CONCAT('maildir:/v/', m, ':INDEX=/i/', m) AS mail",
        "'mdbox:/v:ALT=/w' AS mail",
        "CONCAT('/v/', m) AS mail",
        "IF(q, '*:storage=1G', '*:bytes=5') AS quota_rule",
        "*",
        "m.*, home",
        "CONCAT('*:bytes=', q) AS 'quota_rule'",
        "'Trash:storage=1G' AS quota_rule2",
        "'maildir:~/M' AS mail FROM a UNION SELECT CONCAT('maildir:', m)",
    ],
)
def test_a_field_that_cannot_be_converted_is_reported(column):
    with pytest.raises(UnconvertibleValue):
        convert_query(f"SELECT {column} FROM m", "mysql")


def test_an_unknown_value_is_reported(tmp_path):
    text = "service imap-login {\n client_limit = $default_client_limit\n}"
    assert result(tmp_path, text) == "service imap-login {; !client_limit; }"


def test_a_passwd_file_is_inspected(tmp_path):
    args = f"userdb {{\n driver = passwd-file\n args = {tmp_path}/users\n}}"
    (tmp_path / "users").write_text("a:x:::::::userdb_mail=maildir:/a\n")
    assert "!args" in result(tmp_path, args)
    (tmp_path / "users").write_text("a:x:1:1::/a::userdb_home=/b\n")
    assert "!args" not in result(tmp_path, args)


def test_a_stored_procedure_is_reported():
    with pytest.raises(UnconvertibleValue):
        convert_query("CALL user('%u')", "mysql")


@pytest.mark.parametrize("text", ["%1Mu", "%{login_user}", "%{if;a;eq;b;c;d}", "%q", "50 % of"])
def test_a_variable_without_a_replacement_is_reported(text):
    with pytest.raises(UnconvertibleValue):
        convert_variables(text)


# Arbitrary input

NOISE = "${}?:=<>()[]%'\"!#*\\ \0\t\n,-o@/²٣aé"


@given(
    st.sampled_from([(name, path.name) for name in FOLDERS for path in texts_of(FOLDERS[name])]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.text(NOISE, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_the_conversion_terminates_on_any_input(file, where, cut, put):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dovecot"
        shutil.copytree(FOLDERS[file[0]], folder)
        path = next(folder.rglob(file[1]))
        text = path.read_text()
        at = int(where * len(text))
        path.write_text(text[:at] + put + text[at + cut :])
        sections = Conversion(DovecotFiles(folder)).sections()
        assert "\n".join(render_sections(sections, folder))
        list(iter_converted_lines(sections))


# The command


def test_passwords_are_not_shown_and_written_with_restricted_permissions(tmp_path):
    folder = debian_12(tmp_path)
    new = tmp_path / "new"
    assert "for-dovecot" not in upgrade(folder)
    assert "for-dovecot" not in upgrade(folder, f"--output={new}")
    assert "for-dovecot" not in (new / "dovecot.conf").read_text()
    secret = new / "dovecot-sql-connection.conf.ext"
    assert "password = for-dovecot" in secret.read_text()
    assert mode_of(secret) == 0o640
    assert mode_of(new / "dovecot.conf") == 0o644
    names_of_2_3 = {path.name for path in texts_of(folder)}
    assert {path.name for path in new.iterdir()} & names_of_2_3 == {"dovecot.conf"}


def test_bytes_that_are_not_utf_8_are_converted_unchanged(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "dovecot.conf").write_bytes(b"protocols = imap\nlogin_greeting = Gr\xfc\xdfe\n")
    upgrade(old, f"--output={new}")
    assert b"login_greeting = Gr\xfc\xdfe\n" in (new / "dovecot.conf").read_bytes()


@pytest.mark.parametrize("failing", ["set_permissions", "Path.replace"])
def test_a_failed_write_leaves_no_temporary_file(failing, tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "dovecot.conf")

    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    folder = configuration(old, "protocols = imap\n")
    with monkeypatch.context() as patch:
        patch.setattr(f"{disk.__name__}.{failing}", fail)
        with pytest.raises(CommandError, match="No space left"):
            upgrade(folder, f"--output={new}")
    assert list(new.iterdir()) == []
    upgrade(folder, f"--output={new}")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "text, closed, mode",
    [
        ("mail_home = /x", "", 0o644),
        ("mail_home = /x", "dovecot.conf", 0o640),
        ("mail_home = /x", "more.conf", 0o640),
        ("doveadm_password = x", "", 0o640),
        ("doveadm_api_key = x", "", 0o640),
        ("passdb {\n driver = static\n args = password=x\n}", "", 0o640),
        ("passdb {\n driver = static\n args = nopassword=y\n}", "", 0o644),
    ],
)
def test_restricted_and_secret_files_are_written_with_restricted_permissions(
    text, closed, mode, tmp_path
):
    head = "protocols = imap\n!include more.conf\n"
    more = {"more.conf": "login_greeting = x\n"}
    folder = configuration(tmp_path, f"{head}{text}\n", **more)
    if closed:
        (folder / closed).chmod(0o600)
    upgrade(folder, f"--output={tmp_path}/new")
    path = tmp_path / "new/dovecot.conf"
    assert mode_of(path) == mode
    if mode == 0o640 and os.geteuid() == 0 and "dovecot" in groups():
        assert path.group() == "dovecot"


def groups():
    return {group.gr_name for group in grp.getgrall()}


WITH_PASSWORDS = """\
protocols = imap
doveadm_password = for-doveadm
imapc_password = for-doveadm
ssl_key_password = for-doveadm
doveadm_api_key = for-doveadm
auth_policy_hash_nonce = for-doveadm
auth_policy_server_api_header = for-doveadm
passdb {
  driver = static
  args = nopassword=y password=for-static
}
passdb {
  driver = static
  args = x=y
  override_fields = y=z pass=for-fields password=for-fields
}
"""


@pytest.mark.parametrize(
    "options", [(), ("--json",), ("--output={0}",), ("--output={0}", "--json")]
)
def test_no_password_of_any_setting_is_shown(options, tmp_path):
    folder = configuration(tmp_path, WITH_PASSWORDS)
    output = upgrade(folder, *(each.format(tmp_path / "new") for each in options))
    assert "password = ********" in output
    assert "nopassword = y" in output
    assert not re.findall("for-(?:doveadm|static|fields)", output)


GUARDS = [
    "driver = ldap\n  args = /x\n  deny = yes",
    "driver = checkpassword\n  args = /x\n  result_failure = return-fail",
    "driver = sql\n  args = {0}/none\n  deny = yes",
    "driver = pam\n  override_fields = allow_nets=10.0.0.0/8 x=%q",
]


@pytest.mark.parametrize("text", GUARDS)
def test_nothing_is_written_if_denied_users_could_log_in(text, tmp_path, capsys):
    (tmp_path / "none").write_text("driver = mysql\npassword_query = CALL denied('%u')\n")
    text = f"protocols = imap\npassdb {{\n  {text.format(tmp_path)}\n}}\n"
    folder, new = configuration(tmp_path, text), tmp_path / "new"
    with pytest.raises(CommandError, match="deny access.*dovecot.conf:2"):
        upgrade(folder, f"--output={new}")
    assert not new.exists()
    assert "NOT CONVERTED" in upgrade(folder)
    upgrade(folder, f"--output={new}", "--force")
    assert new.exists()


def test_a_deny_passdb_is_converted(tmp_path):
    text = "passdb {\n driver = passwd-file\n args = /etc/denied\n deny = yes\n}\n"
    upgrade(configuration(tmp_path, text), f"--output={tmp_path}/new")
    assert "deny = yes" in (tmp_path / "new/dovecot.conf").read_text()


def test_files_of_both_versions_are_named(tmp_path):
    text = "protocols = imap\nmail_path = ~/m\nmail_driver = maildir\n!include old.conf\n"
    files = {"old.conf": "first_valid_uid = 1\nplugin {\n quota = count:u\n}\n"}
    files["new.conf"] = "mysql localhost {\n}\n"
    folder = configuration(tmp_path, f"{text}!include new.conf\n", **files)
    with pytest.raises(CommandError, match=r"(dovecot|new).conf:\d.*old.conf:3.*backup"):
        upgrade(folder)


def test_each_line_is_named_with_its_file_and_number(tmp_path):
    lost = "old_stats_carbon_name = y\nmail_attachment_fs = sis-queue posix\n"
    folder = configuration(tmp_path, f"protocols = imap\nssl_dh = </x\n{lost}")
    output = upgrade(folder, f"--output={tmp_path}/new")
    assert output.splitlines() == [
        "dovecot.conf:2: ssl_dh = </x → ssl_server_dh_file = /x",
        "dovecot.conf:3: old_stats_carbon_name = y → not converted",
        "dovecot.conf:4: mail_attachment_fs = sis-queue posix →"
        " not converted (mail_ext_attachment { fs … })",
    ]


def test_the_folder_of_2_3_is_refused_as_output(tmp_path):
    folder = configuration(tmp_path, "protocols = imap\n")
    (tmp_path / "link").symlink_to(tmp_path)
    for place in (tmp_path, tmp_path / "link"):
        with pytest.raises(CommandError, match="Use a new folder"):
            upgrade(folder, f"--output={place}")
    assert (tmp_path / "dovecot.conf").read_text() == "protocols = imap\n"


def test_a_folder_that_has_other_files_is_refused(tmp_path):
    folder, new = configuration(tmp_path, "protocols = imap\n"), tmp_path / "new"
    new.mkdir()
    (new / "x.conf").write_text("x\n")
    with pytest.raises(CommandError, match="not empty: x.conf"):
        upgrade(folder, f"--output={new}")
    assert [path.name for path in new.iterdir()] == ["x.conf"]
    (new / "x.conf").unlink()
    upgrade(folder, f"--output={new}")
    with pytest.raises(CommandError, match="not empty: dovecot.conf"):
        upgrade(folder, f"--output={new}")


@pytest.mark.parametrize("place", ["dovecot.conf", "dovecot.conf/new", "/proc/new"])
def test_an_unwritable_folder_is_reported(place, tmp_path):
    folder = configuration(tmp_path, "protocols = imap\n")
    with pytest.raises(CommandError, match="(dovecot.conf|/proc/new).*: (Not a|No such)"):
        upgrade(folder, f"--output={tmp_path / place}")


def test_files_of_2_4_and_invalid_files_of_2_3_are_refused(tmp_path):
    with pytest.raises(CommandError, match="already for Dovecot 2.4"):
        upgrade(HERE / "configurations/modern/dovecot")
    with pytest.raises(CommandError, match="dovecot.conf:2"):
        upgrade(configuration(tmp_path, "protocols = imap\nnonsense\n"))


def test_different_connections_are_written_to_separate_files(tmp_path):
    text = "".join(
        f"{kind} {{\n  driver = sql\n  args = {tmp_path}/{kind}.ext\n}}\n"
        for kind in ("passdb", "userdb")
    )
    connect = "driver = mysql\nconnect = host=a host=b port=3307 dbname=m user={0} password={0}\n"
    files = {f"{kind}.ext": connect.format(kind) for kind in ("passdb", "userdb")}
    upgrade(configuration(tmp_path, text, **files), f"--output={tmp_path}/new")
    first = (tmp_path / "new/dovecot-sql-connection.conf.ext").read_text()
    assert first.count("user = passdb") == 1
    assert lines_of(first)[:3] == ["mysql database {", "host = a,b:3307", "dbname = m"]
    assert "user = userdb" in (tmp_path / "new/2-dovecot-sql-connection.conf.ext").read_text()


@pytest.mark.parametrize(
    ("driver", "connect", "expected"),
    [
        ("mysql", "port=3306 host=a host=b port=3307", "mysql database { host = a:3306,b:3307 }"),
        ("mysql", "port=3306 host=a", "mysql a { port = 3306 }"),
        ("pgsql", "host=a host=b port=3", "pgsql a { } pgsql b { port = 3 }"),
    ],
)
def test_several_mysql_hosts_become_one_block(driver, connect, expected):
    assert " ".join(" ".join(render_connection(driver, connect)).split()) == expected


# Result of doveconf 2.3; None if it refuses the value.
BOOLEANS = {"yes": "yes", "YES": "yes", "y": "yes", "1": "yes", "no": "no", "0": None, "on": None}


@pytest.mark.mailserver
@pytest.mark.parametrize("value", BOOLEANS)
def test_booleans_are_parsed_like_2_3(value, tmp_path):
    only_with("2.3")
    folder = configuration(tmp_path, f"protocols = imap\nssl_prefer_server_ciphers = {value}\n")
    words = [command("doveconf"), "-c", str(folder / "dovecot.conf"), "-h"]
    output = subprocess.run([*words, "ssl_prefer_server_ciphers"], capture_output=True, text=True)
    assert (output.stdout.strip() or None) == BOOLEANS[value]
    assert is_yes(value) is (BOOLEANS[value] == "yes")
