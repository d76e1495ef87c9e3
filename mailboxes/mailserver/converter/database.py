"""Connections of 2.3's SQL files, each in a file for those who may read it; dictionaries."""

import shlex

from mailboxes.mailserver.config_parser.tree import Block
from mailboxes.mailserver.converter.result import Lost, Made, Section, assignment, block, head

# Beside dovecot.conf, for those who read passwords; no file of 2.3 is called so.
CONNECTION = "dovecot-sql-connection.conf.ext"
# words of `connect` → settings of a host
WORDS = {
    "client_flags": "client_flags",
    "dbname": "dbname",
    "option_file": "option_file",
    "option_group": "option_group",
    "pass": "password",
    "password": "password",
    "port": "port",
    "ssl_ca": "ssl_ca",
    "ssl_ca_path": "ssl_ca_path",
    "ssl_cert": "ssl_cert",
    "ssl_cipher": "ssl_cipher",
    "ssl_key": "ssl_key",
    "user": "user",
}
MAP_NAMES = {"table": "sql_table", "username_field": "username_field"}


class Connections:
    """Each different connection once, in a file that few may read."""

    def __init__(self):
        self.files = {}  # the lines → the name of their file

    def include(self, driver, connect):
        """The line that stands for a connection; the driver is said where everybody reads it."""
        lines = tuple(lines_of(driver, connect))
        name = f"{len(self.files) + 1}-{CONNECTION}" if self.files else CONNECTION
        name = self.files.setdefault(lines, name)
        return [f"sql_driver = {driver}", f"!include_try {name}"]

    def inside(self, file):
        setting = file.setting("connect")
        text = setting.value if setting else ""
        lines = self.include(file.value("driver"), text)
        yield Made(lines, setting) if setting else lines[0]
        if left := unknown_words(file.value("driver"), text):
            yield Lost(setting, " ".join(left))


def lines_of(driver, connect):
    if driver == "sqlite":
        words = connect.split()
        return [assignment("sqlite_path", words[0])] if words else []
    hosts, common = [], []
    for name, value in words_of(connect):
        if name == "host":
            hosts.append([value])
        elif name in WORDS:
            line = assignment(WORDS[name], value)
            # a port behind a host is its own, the rest is of all
            (hosts[-1] if name == "port" and hosts else common).append(line)
    lines = []
    for host, *own in hosts or [["localhost"]]:
        lines += block(driver, host, own + common)
    return lines


def words_of(connect):
    try:
        words = shlex.split(connect)
    except ValueError:
        words = connect.split()
    return [word.partition("=")[::2] for word in words]


def unknown_words(driver, connect):
    if driver == "sqlite":
        return connect.split()[1:]
    return [name for name, _value in words_of(connect) if name not in WORDS and name != "host"]


def dictionary(setting, dovecot, connections):
    """`name = mysql:/file` of dict { }, with the file's maps."""
    kind, _colon, path = setting.value.partition(":")
    if kind not in ("mysql", "pgsql", "sqlite"):
        return [Lost(setting)]
    file = dovecot.read_sql(dovecot.locate(path), setting.line)
    found = Section(head("dict", setting.name), setting.line, was=f"{setting.name} = …")
    connect = file.setting("connect")
    found.children += ["driver = sql"]
    lines = connections.include(kind, connect.value if connect else "")
    found.children += [Made(lines, connect)] if connect else lines
    for each in (child for child in file.children if isinstance(child, Block)):
        found.children += _map(each)
    return [found]


def _map(source):
    if source.kind != "map" or source.blocks("fields"):
        return [Lost(setting) for _path, setting in source.walk()]
    lines = [
        Made([assignment(MAP_NAMES[name], setting.value)], setting)
        for name in MAP_NAMES
        if (setting := source.setting(name))
    ]
    if values := source.setting("value_field"):
        for name in filter(None, (word.strip() for word in values.value.split(","))):
            kind = "uint" if source.value("value_type", "uint") == "uint" else "string"
            lines.append(Made(block("value_field", name, [f"type = {kind}"]), values))
    return [Section(head("dict_map", source.value("pattern")), source.line, lines, "map")]
