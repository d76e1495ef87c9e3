"""Dovecot's files of 2.3, block by block, as Dovecot 2.4 wants them."""

import re

from mailboxes.mailserver.config_parser import names
from mailboxes.mailserver.config_parser.dovecot import is_packaged
from mailboxes.mailserver.config_parser.lines import Setting
from mailboxes.mailserver.config_parser.tree import FILTERS, is_yes
from mailboxes.mailserver.converter.authentication import Authentication
from mailboxes.mailserver.converter.database import Connections, dictionary
from mailboxes.mailserver.converter.locations import inherited_options, location
from mailboxes.mailserver.converter.plugin import Surroundings, converted_plugin
from mailboxes.mailserver.converter.result import Lost, Made, Section, assignment, block, head
from mailboxes.mailserver.converter.variables import (
    AUTHENTICATION,
    LETTERS,
    Untranslatable,
    converted,
    converted_uidl,
)

VERSIONS = ["dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"]
PROTOCOLS = "imap pop3 lmtp"  # the default of 2.3; 2.4 has none
WEAK = ["# Passwords that 2.3 takes, and 2.4 calls weak.", "auth_allow_weak_schemes = yes"]
# Settings with variables; a percent sign in another is one.
EXPANDED = frozenset(
    {"auth_username_format", "imapc_master_user", "imapc_user", "lmtp_proxy_rawlog_dir"}
    | {"lmtp_rawlog_dir", "login_greeting", "login_log_format", "login_log_format_elements"}
    | {"mail_attachment_dir", "mail_chroot", "mail_home", "mail_log_prefix", "mail_temp_dir"}
    | {"pop3c_master_user", "pop3c_user", "postmaster_address", "prefix", "rawlog_dir"}
    | {"sendmail_path", "submission_host", "submission_relay_rawlog_dir"}
)
# Settings whose letters mean something else in each.
OWN_LETTERS = ("deliver_log_format", "imap_logout_format", "pop3_logout_format")
OWN_LETTERS += ("rejection_reason", "rejection_subject")
GONE_SERVICES = ("director", "ipc", "old-stats", "replicator", "aggregator", "auth-vlogin")
# What 2.4 does itself is "".
PLUGINS = {"zlib": "mail_compress", "imap_zlib": "", "autocreate": ""}
GONE_MECHANISMS = ("ntlm", "rpa", "skey")
ATTACHMENTS = "sis posix"  # mail_attachment_fs, if it is not set
UNKNOWN = re.compile(r"=\s*\$\w+\s*$")
OLD_TLS, TLS = ("SSLv2", "SSLv3"), ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
STRING_LISTS = ("auth_policy_request_attributes", "imap_id_send", "import_environment")
ZERO_IS_UNLIMITED = ("imapc_max_line_length", "lmtp_user_concurrency_limit")
UNLIMITED, DEFAULT = "4294967295", "18446744073709551615"  # as doveconf 2.3 shows them


class Conversion:
    """A folder of Dovecot 2.3's as sections of 2.4's, in the order in which 2.3 reads it."""

    def __init__(self, files):
        self.dovecot = files
        self.connections = Connections()
        self.nameless = 0
        self.inherited = inherited_options(files.root)
        self.around = Surroundings.of(files.root)
        self.authentication = Authentication(files, self.connections, self.inherited)

    @property
    def unguarded(self):
        return self.authentication.unguarded

    def sections(self):
        found = [*VERSIONS, ""]
        packaged = self.dovecot.packaged_includes
        found += [f"!include_try {pattern}" for pattern in packaged]
        if not packaged and not self.dovecot.root.setting("protocols"):
            found.append(f"protocols = {PROTOCOLS}")
        return [*found, *WEAK, "", *self._children(self.dovecot.root)]

    def _children(self, block):
        found = []
        for child in block.children:
            if is_packaged(child.line.file):
                continue
            if isinstance(child, Setting):
                found += self._setting(child, block)
            else:
                found += self._block(child)
        return found

    # Blocks

    def _block(self, block):
        if block.kind in ("passdb", "userdb"):
            return self.authentication.section(block)
        if block.kind == "plugin":
            return [made for each in block.settings() for made in self._plugin(each)]
        if block.kind == "dict":
            inner = [each for s in block.settings() for each in self._dictionary(s)]
            return [Section("dict_server", block.line, inner, "dict")]
        if block.kind == "service" and block.name in GONE_SERVICES:
            is_empty = next(block.walk(), None) is None
            return [] if is_empty else [Lost(Setting(block.kind, block.name, (block.line,)))]
        if block.kind == "namespace" and is_of_others(block):
            return [Lost(setting, "%%") for _path, setting in block.walk()]
        was = head(block.kind, block.name)
        return [Section(self._new_head(block), block.line, self._children(block), was)]

    def _dictionary(self, setting):
        return dictionary(setting, self.dovecot, self.connections)

    def _plugin(self, setting):
        try:
            return list(converted_plugin(setting, self.around))
        except Untranslatable as error:
            return [Lost(setting, str(error))]

    def _new_head(self, block):
        """A namespace or listener needs a name; one without gets that of what it holds."""
        if block.kind == "inet_listener" and not block.name:
            return head("inet_listener", f"port-{block.value('port', '0')}")
        if block.kind != "namespace" or block.name:
            return head(block.kind, block.name)
        self.nameless += 1
        is_inbox = is_yes(block.value("inbox"))
        return head("namespace", "inbox" if is_inbox else f"more{self.nameless}")

    # Settings

    def _setting(self, setting, block):
        try:
            return self._converted(setting, block.kind)
        except Untranslatable as error:
            return [Lost(setting, str(error))]

    def _converted(self, setting, kind):
        name, value = setting.name, setting.value
        if not value and name != "mail_plugins" and UNKNOWN.search(setting.line.text):
            return [Lost(setting)]  # `$name`, and it is not known what that is
        if name in ("mail_attachment_dir", "mail_attachment_fs"):
            return self._attachments(setting)
        if kind == "namespace" and name == "location":
            return location(setting, {"INBOX", *self.inherited})
        if kind in SPECIAL and name in SPECIAL[kind]:
            return SPECIAL[kind][name](setting)
        for table in (SPECIAL[""], SPECIAL["file"] if kind in ("file", *FILTERS) else {}):
            if name in table:
                return table[name](setting)
        if name in names.FILES:
            return [
                Made([assignment(names.FILES[name], value.lstrip("<"))] if value else [], setting)
            ]
        if name in names.INVERTED:
            output = "no" if is_yes(value) else "yes"
            if output == "yes" and kind == "file" and self.dovecot.value("ssl") == "required":
                return [Made([], setting)]  # 2.4 refuses what has no effect in 2.3
            return [Made([f"{names.INVERTED[name]} = {output}"], setting)]
        instead = names.instead_of(name, kind)
        if instead is not None and name not in names.RENAMED:
            return [Lost(setting, instead)] if value else [Made([], setting)]
        if name in OWN_LETTERS and re.search(r"%[^{]", value):
            return [Lost(setting)]
        letters = AUTHENTICATION if name.startswith("auth_") else LETTERS
        new = names.RENAMED.get(name, name)
        text = converted(value, letters) if name in EXPANDED else value
        return [Made([assignment(new, text)], setting)]

    def _attachments(self, setting):
        """Attachments need a file system in 2.4 too, which has no usual one for them."""
        text = self.dovecot.value("mail_attachment_fs") or ATTACHMENTS
        if not setting.value or text not in (ATTACHMENTS, "posix"):
            return (
                [Lost(setting, "mail_ext_attachment { fs … }")] if setting.value else lost(setting)
            )
        if setting.name == "mail_attachment_fs":
            return [Made([], setting)]
        systems = [line for name in text.split() for line in block("fs", name, [])]
        path = assignment("mail_ext_attachment_path", converted(setting.value))
        return [Made([path, *block("mail_ext_attachment", "", systems)], setting)]


def is_of_others(namespace):
    """Whether it shows other users' folders: with %%u, which 2.4 says in another way."""
    return "%%" in namespace.value("prefix") + namespace.value("location")


def plugins(setting):
    """A list of plugins, of which some are gone or called otherwise."""
    words = setting.value.split()
    gone = [word for word in words if word in names.GONE_PLUGINS]
    kept = [PLUGINS.get(word, word) for word in words if word not in names.GONE_PLUGINS]
    line = assignment("mail_plugins", " ".join(filter(None, kept)))
    return [Made([line], setting), *([Lost(setting, " ".join(gone))] if gone else [])]


def mechanisms(setting):
    """Ways to log in; Dovecot 2.4 does not start if it does not know one."""
    words = setting.value.split()
    gone = [word for word in words if word.lower() in GONE_MECHANISMS]
    kept = [word for word in words if word not in gone]
    line = assignment("auth_mechanisms", " ".join(kept))
    return [
        Made([line] if kept else [], setting),
        *([Lost(setting, " ".join(gone))] if gone else []),
    ]


def ciphers(setting):
    side = "server" if is_yes(setting.value) else "client"
    return [Made([f"ssl_server_prefer_ciphers = {side}"], setting)]


def verbose_ssl(setting):
    is_on = is_yes(setting.value)
    return [Made(["log_debug = category=ssl"] if is_on else [], setting)]


def options(setting):
    """2.4 knows no option about compression, which it never does."""
    words = [word for word in setting.value.split() if word != "no_compression"]
    return [Made([assignment("ssl_options", " ".join(words))] if words else [], setting)]


def protocols(setting):
    """`!SSLv3 !TLSv1`, or those that there are: the lowest of them."""
    words = setting.value.split()
    without = [word[1:] for word in words if word.startswith("!")]
    named = [word for word in words if not word.startswith("!")]
    left = [each for each in TLS if each not in without and (not named or each in named)]
    if not left or set(words) - {*TLS, *OLD_TLS, *(f"!{each}" for each in (*TLS, *OLD_TLS))}:
        return [Lost(setting, "ssl_min_protocol")]
    return [Made([f"ssl_min_protocol = {left[0]}"], setting)]


def remote_command(setting):
    """Has variables of its own, login and host, and %u."""
    text = setting.value.replace("%u", "%{user}")
    if re.search(r"%(?!\{(?:login|host|user)\})", text):
        return [Lost(setting)]
    return [Made([assignment("dsync_remote_cmd", text)], setting)]


def uidl(setting):
    return [Made([assignment("pop3_uidl_format", converted_uidl(setting.value))], setting)]


def capability(setting):
    """`+X`: more than the usual."""
    if not setting.value.startswith("+"):
        return [Made([assignment("imap_capability", setting.value)], setting)]
    inner = [f"  {word.strip('+')} = yes" for word in setting.value.split()]
    return [Made(["imap_capability {", *inner, "}"], setting)]


def count(setting):
    number = "unlimited" if setting.value == "0" else setting.value
    return [Made([f"restart_request_count = {number}"], setting)]


def renamed(new):
    def rename(setting):
        return [Made([assignment(new, setting.value)] if setting.value else [], setting)]

    return rename


def idle(setting):
    """How long a process may do nothing: 0 is the default, the greatest number no limit."""
    if setting.value == "0":
        return [Made([], setting)]
    time = "unlimited" if setting.value.startswith(UNLIMITED) else setting.value
    return [Made([f"idle_kill_interval = {time}"], setting)]


def limit(setting):
    """Leave out limits that 2.3 writes as 0 or the maximum: both mean the default."""
    is_needed = setting.value != "0" and not setting.value.startswith(DEFAULT)
    return [Made([assignment(setting.name, setting.value)] if is_needed else [], setting)]


def unlimited(setting):
    number = "unlimited" if setting.value == "0" else setting.value
    return [Made([assignment(setting.name, number)], setting)]


def lost(setting):
    return [Lost(setting)] if setting.value else [Made([], setting)]


# Kind of block ("" for all, file for those that stand outside of any but filters) → name → how
SPECIAL = {
    "": {
        "auth_mechanisms": mechanisms,
        "mail_plugins": plugins,
        "pop3_uidl_format": uidl,
        "imap_capability": capability,
    }
    | dict.fromkeys(STRING_LISTS, lost)
    | dict.fromkeys(ZERO_IS_UNLIMITED, unlimited),
    "file": {
        "dsync_remote_cmd": remote_command,
        "mail_location": location,
        "ssl_options": options,
        "ssl_protocols": protocols,
        "ssl_prefer_server_ciphers": ciphers,
        "verbose_ssl": verbose_ssl,
    },
    "inet_listener": {"address": renamed("listen")},
    "service": {
        "client_limit": limit,
        "idle_kill": idle,
        "process_limit": limit,
        "service_count": count,
        "vsz_limit": limit,
    },
}
