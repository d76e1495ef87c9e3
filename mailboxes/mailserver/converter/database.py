"""Convert the connections of SQL files, each to a file with restricted access, and dictionaries."""

import shlex
from collections.abc import Iterator

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.tree import ConfigBlock
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    Section,
    UnconvertedSetting,
    assign,
    format_assignment,
    format_block,
    format_header,
)

# Next to dovecot.conf; no file of 2.3 has this name.
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
    """Files with the database connections, one for each different connection."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, ...], str] = {}  # lines → name of their file

    def include(self, driver: str, connect: str) -> list[str]:
        """Add a connection; return the lines that include it, the driver in the readable file."""
        lines = tuple(render_connection(driver, connect))
        number = f"{len(self.files) + 1}-" if self.files else ""
        name = self.files.setdefault(lines, f"{number}{CONNECTION_FILE_NAME}")
        return [f"sql_driver = {driver}", f"!include_try {name}"]

    def convert_connect(self, file: ConfigBlock) -> Iterator[Section]:
        setting = file.setting("connect")
        text = setting.value if setting else ""
        lines = self.include(file.value("driver"), text)
        yield ConvertedSetting(lines, setting) if setting else lines[0]
        unknown = find_unknown_words(file.value("driver"), text)
        if setting and unknown:
            yield UnconvertedSetting(setting, " ".join(unknown))


def render_connection(driver: str, connect: str) -> list[str]:
    if driver == "sqlite":
        words = connect.split()
        return [format_assignment("sqlite_path", words[0])] if words else []
    hosts: list[list[str]] = []
    common: list[str] = []
    common_port = ""
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
    lines: list[str] = []
    for host, port in hosts or [["localhost", ""]]:
        own = [format_assignment("port", port or common_port)] if port or common_port else []
        lines += format_block(driver, host, own + common)
    return lines


def parse_connect(connect: str) -> list[tuple[str, str]]:
    try:
        words = shlex.split(connect)
    except ValueError:
        words = connect.split()
    return [word.partition("=")[::2] for word in words]


def find_unknown_words(driver: str, connect: str) -> list[str]:
    if driver == "sqlite":
        return connect.split()[1:]
    return [
        name
        for name, _value in parse_connect(connect)
        if name not in CONNECT_KEYWORDS and name not in ("host", "port")
    ]


def convert_dictionary(
    setting: ConfigSetting, dovecot: DovecotFiles, connections: ConnectionFiles
) -> Section:
    """Convert `name = mysql:/file` of dict { }, with the maps of the file if it is complete."""
    kind, _colon, path = setting.value.partition(":")
    if kind not in ("mysql", "pgsql", "sqlite"):
        return UnconvertedSetting(setting)
    file, problems = dovecot.read_sql_file(dovecot.resolve_path(path), setting.line)
    if problems or not file.children:
        return UnconvertedSetting(setting)
    connect = file.setting("connect")
    lines = connections.include(kind, connect.value if connect else "")
    children: list[Section] = ["driver = sql"]
    children += [ConvertedSetting(lines, connect)] if connect else lines
    for child in file.children:
        if isinstance(child, ConfigBlock):
            children += _convert_map(child)
    header = format_header("dict", setting.name)
    return ConvertedBlock(header, setting.line, children, f"{setting.name} = …")


def _convert_map(source: ConfigBlock) -> list[Section]:
    if source.kind != "map":
        return [UnconvertedSetting(setting) for _path, setting in source.walk()]
    children: list[Section] = [
        assign(setting, new_name, setting.value)
        for name, new_name in DICT_MAP_SETTINGS.items()
        if (setting := source.setting(name))
    ]
    if values := source.setting("value_field"):
        for name in filter(None, (word.strip() for word in values.value.split(","))):
            kind = "uint" if source.value("value_type", "uint") == "uint" else "string"
            lines = format_block("value_field", name, [f"type = {kind}"])
            children.append(ConvertedSetting(lines, values))
    for fields in source.blocks("fields"):
        for setting in fields.settings():
            lines = format_block("key_field", setting.name, [f"value = {setting.value}"])
            children.append(ConvertedSetting(lines, setting))
    header = format_header("dict_map", source.value("pattern"))
    return [ConvertedBlock(header, source.line, children, "map")]
