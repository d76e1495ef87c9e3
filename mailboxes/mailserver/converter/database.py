"""Connections of 2.3's SQL files, each in a file for those who may read it; dictionaries."""

import shlex

from mailboxes.mailserver.config_parser.tree import ConfigBlock
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    UnconvertedSetting,
    format_assignment,
    format_block,
    format_header,
)

# Beside dovecot.conf, for those who read passwords; no file of 2.3 is called so.
CONNECTION_FILE_NAME = "dovecot-sql-connection.conf.ext"
# words of `connect` → settings of a host
CONNECT_KEYWORDS = {
    "client_flags": "client_flags",
    "dbname": "dbname",
    "option_file": "option_file",
    "option_group": "option_group",
    "pass": "password",
    "password": "password",
    "ssl_ca": "ssl_ca",
    "ssl_ca_path": "ssl_ca_path",
    "ssl_cert": "ssl_cert",
    "ssl_cipher": "ssl_cipher",
    "ssl_key": "ssl_key",
    "user": "user",
}
DICT_MAP_SETTINGS = {"table": "sql_table", "username_field": "username_field"}


class ConnectionFiles:
    """Each different connection once, in a file that few may read."""

    def __init__(self):
        self.files = {}  # the lines → the name of their file

    def include(self, driver, connect):
        """The line that stands for a connection; the driver is said where everybody reads it."""
        lines = tuple(render_connection(driver, connect))
        name = (
            f"{len(self.files) + 1}-{CONNECTION_FILE_NAME}" if self.files else CONNECTION_FILE_NAME
        )
        name = self.files.setdefault(lines, name)
        return [f"sql_driver = {driver}", f"!include_try {name}"]

    def convert_connect(self, file):
        setting = file.setting("connect")
        text = setting.value if setting else ""
        lines = self.include(file.value("driver"), text)
        yield ConvertedSetting(lines, setting) if setting else lines[0]
        if left := find_unknown_words(file.value("driver"), text):
            yield UnconvertedSetting(setting, " ".join(left))


def render_connection(driver, connect):
    if driver == "sqlite":
        words = connect.split()
        return [format_assignment("sqlite_path", words[0])] if words else []
    hosts, common, common_port = [], [], ""
    for name, value in parse_connect(connect):
        if name == "host":
            hosts.append([value, ""])
        elif name == "port" and hosts:  # behind a host it is that host's
            hosts[-1][1] = value
        elif name == "port":
            common_port = value
        elif name in CONNECT_KEYWORDS:
            common.append(format_assignment(CONNECT_KEYWORDS[name], value))
    if driver == "mysql" and len(hosts) > 1:
        # One list: with a block for each, 2.4 crashes on retrying a host that was unreachable.
        places = ",".join(f"{host}:{port or common_port}".rstrip(":") for host, port in hosts)
        return format_block(driver, "database", [format_assignment("host", places), *common])
    lines = []
    for host, port in hosts or [["localhost", ""]]:
        own = [format_assignment("port", port or common_port)] if port or common_port else []
        lines += format_block(driver, host, own + common)
    return lines


def parse_connect(connect):
    try:
        words = shlex.split(connect)
    except ValueError:
        words = connect.split()
    return [word.partition("=")[::2] for word in words]


def find_unknown_words(driver, connect):
    if driver == "sqlite":
        return connect.split()[1:]
    return [
        name
        for name, _value in parse_connect(connect)
        if name not in CONNECT_KEYWORDS and name not in ("host", "port")
    ]


def convert_dictionary(setting, dovecot, connections):
    """`name = mysql:/file` of dict { }, with the file's maps."""
    kind, _colon, path = setting.value.partition(":")
    if kind not in ("mysql", "pgsql", "sqlite"):
        return [UnconvertedSetting(setting)]
    file = dovecot.read_sql_file(dovecot.resolve_path(path), setting.line)
    found = ConvertedBlock(
        format_header("dict", setting.name), setting.line, old_header=f"{setting.name} = …"
    )
    connect = file.setting("connect")
    found.children += ["driver = sql"]
    lines = connections.include(kind, connect.value if connect else "")
    found.children += [ConvertedSetting(lines, connect)] if connect else lines
    for each in (child for child in file.children if isinstance(child, ConfigBlock)):
        found.children += _convert_map(each)
    return [found]


def _convert_map(source):
    if source.kind != "map" or source.blocks("fields"):
        return [UnconvertedSetting(setting) for _path, setting in source.walk()]
    lines = [
        ConvertedSetting([format_assignment(DICT_MAP_SETTINGS[name], setting.value)], setting)
        for name in DICT_MAP_SETTINGS
        if (setting := source.setting(name))
    ]
    if values := source.setting("value_field"):
        for name in filter(None, (word.strip() for word in values.value.split(","))):
            kind = "uint" if source.value("value_type", "uint") == "uint" else "string"
            lines.append(
                ConvertedSetting(format_block("value_field", name, [f"type = {kind}"]), values)
            )
    return [
        ConvertedBlock(
            format_header("dict_map", source.value("pattern")), source.line, lines, "map"
        )
    ]
