"""`mailserver upgrade`: what each line becomes."""

import subprocess

import pytest

from mailboxes.mailserver.config_parser.tree import is_yes
from tests.dovecot_server import only_with
from tests.mailboxes.dovecot_upgrade import configuration, doveconf, result, upgrade
from tests.programs import command

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


def test_an_unknown_value_is_reported(tmp_path):
    text = "service imap-login {\n client_limit = $default_client_limit\n}"
    assert result(tmp_path, text) == "service imap-login {; !client_limit; }"


def test_a_passwd_file_is_inspected(tmp_path):
    args = f"userdb {{\n driver = passwd-file\n args = {tmp_path}/users\n}}"
    (tmp_path / "users").write_text("a:x:::::::userdb_mail=maildir:/a\n")
    assert "!args" in result(tmp_path, args)
    (tmp_path / "users").write_text("a:x:1:1::/a::userdb_home=/b\n")
    assert "!args" not in result(tmp_path, args)


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
