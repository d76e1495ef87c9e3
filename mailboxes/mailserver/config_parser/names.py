"""Names of Dovecot 2.3's settings that 2.4 has renamed or removed, and names new in 2.4."""

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles, is_package_file
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.tree import FILTER_BLOCKS, LIST_SETTINGS, ConfigBlock

# The same value by another name.
RENAMED_SETTINGS = {
    "auth_default_realm": "auth_default_domain",
    "default_idle_kill": "default_idle_kill_interval",
    "mail_attachment_dir": "mail_ext_attachment_path",
    "mail_attachment_hash": "mail_ext_attachment_hash",
    "mail_attachment_min_size": "mail_ext_attachment_min_size",
    "master_user_separator": "auth_master_user_separator",
    "ssl_cert_username_field": "ssl_server_cert_username_field",
    "ssl_key_password": "ssl_server_key_password",
    "ssl_require_crl": "ssl_server_require_crl",
    "ssl_verify_client_cert": "ssl_server_request_client_cert",
}
# 2.4 takes a file name instead of `<file`.
FILE_SETTINGS = {
    "ssl_alt_cert": "ssl_server_alt_cert_file",
    "ssl_alt_key": "ssl_server_alt_key_file",
    "ssl_ca": "ssl_server_ca_file",
    "ssl_cert": "ssl_server_cert_file",
    "ssl_client_cert": "ssl_client_cert_file",
    "ssl_client_key": "ssl_client_key_file",
    "ssl_dh": "ssl_server_dh_file",
    "ssl_key": "ssl_server_key_file",
}
INVERTED_SETTINGS = {"disable_plaintext_auth": "auth_allow_cleartext"}
# Replaced by a setting of another form.
REPLACED_SETTINGS = {
    "auth_worker_max_count": "service auth-worker { process_limit }",
    "mail_attachment_fs": "mail_ext_attachment { fs … }",
    "mail_attribute_dict": "mail_attribute { dict … }",
    "mail_location": "mail_driver, mail_path",
    "ssl_prefer_server_ciphers": "ssl_server_prefer_ciphers = server",
    "verbose_ssl": "log_debug = category=ssl",
    "imapc_ssl_verify": "ssl_client_require_valid_cert",
    "auth_policy_server_timeout_msecs": "auth_policy { http_client_request_timeout }",
    "doveadm_http_rawlog_dir": "doveadm_server { http_client_rawlog_dir }",
    "stats_http_rawlog_dir": "stats_server { http_client_rawlog_dir }",
}
REMOVED_SETTINGS = frozenset(
    {"auth_stats", "config_cache_size", "dict_db_config", "imap_id_log", "login_access_sockets"}
    | {"replicator_host", "replicator_port"}
)
REMOVED_PREFIXES = ("director_", "old_stats_", "replication_")
# Settings of SQL files → settings of 2.4, in the block or next to it.
SQL_FILE_SETTINGS = {
    "connect": "mysql HOST { … }, sqlite_path",
    "default_pass_scheme": "passdb sql { default_password_scheme }",
    "iterate_query": "userdb sql { iterate_query }",
    "password_query": "passdb sql { query }",
    "user_query": "userdb sql { query }",
}
# Kind of block → settings in it.
BLOCK_SETTINGS: dict[str, dict[str, str]] = {
    "inet_listener": {"address": "listen"},
    "mailbox": {"driver": ""},
    "namespace": {"location": "mail_driver, mail_path"},
    "passdb": {
        "args": "sql { query }, passwd_file_path, fields { … }",
        "default_fields": "fields { … }",
        "mechanisms": "mechanisms_filter",
        "override_fields": "fields { … }",
        "pass": "result_success",
    },
    "service": {
        "idle_kill": "idle_kill_interval",
        "service_count": "restart_request_count",
    },
    "userdb": {
        "args": "sql { query }, passwd_file_path, fields { … }",
        "default_fields": "fields { … }",
        "override_fields": "fields { … }",
    },
}
# plugin { … }: the same value by another name. Settings in none of these tables keep their name.
RENAMED_PLUGIN_SETTINGS = {
    "acl_anyone": "imap_acl_allow_anyone",
    "fts_index_timeout": "fts_search_timeout",
    "quota_max_mail_size": "quota_mail_size",
    "sieve_quota_max_scripts": "sieve_quota_script_count",
    "sieve_quota_max_storage": "sieve_quota_storage_size",
    "sieve_user_log": "sieve_user_log_path",
}
QUOTA_SETTINGS = {
    "quota": "quota NAME { driver }",
    "quota_clone_dict": "quota_clone { dict … }",
    "quota_rule": "quota_storage_size, quota_message_count",
    "quota_vsizes": "",
    "quota_warning": "quota_warning NAME { … }",
}
# Plugins that 2.4 does not have; naming one makes all logins fail.
REMOVED_PLUGINS = frozenset({
    "antispam", "expire", "fts_lucene", "fts_squat", "imap_old_stats", "imap_stats",
    "listescape", "mail_filter", "mailbox_alias", "old_stats", "replication", "snarf", "stats",
})  # fmt: skip
# Settings and blocks unknown to 2.3.
NEW_SETTINGS = frozenset(
    {"dovecot_storage_version", "auth_allow_weak_schemes", "mail_driver", "mail_inbox_path"}
    | {"mail_path", "sql_driver", "sqlite_path", "passdb_sql_query", "userdb_sql_query"}
    | {*FILE_SETTINGS.values(), *INVERTED_SETTINGS.values()}
)
NEW_BLOCKS = frozenset({"mysql", "pgsql", "quota", "dict_server", "quota_clone", "ssl_server"})


def find_replacement(name: str, kind: str = "") -> str | None:
    """Return the name in 2.4 of a setting of 2.3: "" if it was removed, None if it is unchanged."""
    if kind in BLOCK_SETTINGS and name in BLOCK_SETTINGS[kind]:
        return BLOCK_SETTINGS[kind][name]
    if name in REMOVED_SETTINGS or name.startswith(REMOVED_PREFIXES):
        return ""
    for table in (RENAMED_SETTINGS, FILE_SETTINGS, INVERTED_SETTINGS, REPLACED_SETTINGS):
        if name in table:
            return table[name]
    if kind == "file" and name in SQL_FILE_SETTINGS:
        return SQL_FILE_SETTINGS[name]
    if kind in ("file", *FILTER_BLOCKS) and name in QUOTA_SETTINGS:
        return QUOTA_SETTINGS[name]
    return None


def is_for_2_4(dovecot: DovecotFiles) -> bool:
    """Check whether a configuration is written for 2.4, even if it lacks the version setting."""
    return dovecot.is_version_2_4 or find_2_4_line(dovecot) is not None


def find_2_4_line(dovecot: DovecotFiles) -> Line | None:
    """Return the first line that only 2.4 accepts."""
    for child in dovecot.root.children:
        if is_package_file(child.line.file):
            continue
        if isinstance(child, ConfigBlock):
            is_newer = child.kind in NEW_BLOCKS or child.kind in LIST_SETTINGS
        else:
            is_newer = child.name in NEW_SETTINGS
        if is_newer:
            return child.line
    return None


def find_2_3_line(dovecot: DovecotFiles) -> Line | None:
    """Return the first line that 2.4 no longer accepts."""
    for blocks, setting in dovecot.root.walk():
        kind = blocks[-1].kind
        is_older = kind == "plugin" or find_replacement(setting.name, kind) is not None
        if is_older and not is_package_file(setting.line.file):
            return setting.line
    return None
