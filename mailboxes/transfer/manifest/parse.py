"""Parse a manifest: domains and what is in them, written by people in YAML, or JSON, its subset."""

import re
from dataclasses import dataclass, field

import yaml
from django.core.exceptions import ValidationError

from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowType, RowValues

MANIFEST_ROW_TYPES = ("domain", "mailbox", "alias", "alias-domain", "sender-permission")
SECTIONS = {ROW_TYPES[name].table: ROW_TYPES[name] for name in MANIFEST_ROW_TYPES}
MAX_DEPTH = 10
YAML_NULL_TAG = "tag:yaml.org,2002:null"


class ManifestLoader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Reads every scalar as text, as other files are read: `No` and `010` keep their spelling."""


ManifestLoader.add_implicit_resolver(YAML_NULL_TAG, re.compile("~|null|Null|NULL"), ["~", "n", "N"])
ManifestLoader.add_constructor(YAML_NULL_TAG, lambda loader, node: None)


@dataclass
class ManifestRow:
    """The values that one row shall have, and its line in the file."""

    row_type: RowType
    values: RowValues
    line: int
    raw_password: str = ""  # plain text, to be hashed

    @property
    def key(self) -> str:
        return self.row_type.folded_key(self.values)


@dataclass
class Manifest:
    """Rows by section. Existing rows that a given section does not list will be deleted."""

    # table → folded key → row
    sections: dict[str, dict[str, ManifestRow]] = field(default_factory=dict)

    @property
    def domains(self) -> list[str]:
        return list(self.sections["domains"])

    def rows(self, table: str) -> dict[str, ManifestRow]:
        return self.sections.get(table, {})


def parse_manifest(text: str, filename: str) -> Manifest:
    """Return the manifest in a text; raise SourceError with the line of the first error."""
    try:
        check_depth(text)
        loader = ManifestLoader(text)
        root = loader.get_single_node()
        sections = mapping_items(root, _("The file must be a mapping of sections."))
        manifest = Manifest()
        for key, node in sections:
            table = parse_section_name(key)
            manifest.sections[table] = parse_section(loader, SECTIONS[table], node)
    except yaml.YAMLError as error:
        raise SourceError(" ".join(str(error).split()), filename) from error
    if "domains" not in manifest.sections:
        raise SourceError(
            _("The section “domains” is missing. It lists the domains to manage."), filename
        )
    check_foreign_domains(manifest)
    return manifest


def check_depth(text: str) -> None:
    """Refuse deep nesting, which needs stack: sections, rows, columns and lists are enough."""
    depth = 0
    for event in yaml.parse(text, Loader=ManifestLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise error_at(event, _("The file is nested too deeply."))


def mapping_items(node: yaml.Node | None, text: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return the (key node, value node) pairs of a mapping; refuse duplicate keys."""
    if not isinstance(node, yaml.MappingNode):
        raise error_at(node, text) if node is not None else SourceError(text, "1")
    seen = set()
    for key, _value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise error_at(key, _("A name is missing here."))
        if key.value in seen:
            raise error_at(key, _("Duplicate name “%(name)s”.") % {"name": key.value})
        seen.add(key.value)
    return node.value


def error_at(node: yaml.Node | yaml.Event, text: str) -> SourceError:
    return SourceError(text, _("line %(line)s") % {"line": line_number(node)})


def line_number(node: yaml.Node | yaml.Event) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


def parse_section_name(key: yaml.ScalarNode) -> str:
    if key.value not in SECTIONS:
        text = _("Unknown section “%(name)s”. Sections: %(names)s.")
        raise error_at(key, text % {"name": key.value, "names": ", ".join(SECTIONS)})
    return key.value


def parse_section(
    loader: ManifestLoader, row_type: RowType, node: yaml.Node
) -> dict[str, ManifestRow]:
    """Return the rows of a section by key."""
    if not isinstance(node, yaml.SequenceNode):
        raise error_at(node, _("A section must be a list of rows."))
    rows: dict[str, ManifestRow] = {}
    for row_node in node.value:
        row = parse_row(loader, row_type, row_node)
        if row.key in rows:
            text = _("Duplicate; the first is in line %(line)s.")
            raise error_at(row_node, text % {"line": rows[row.key].line})
        rows[row.key] = row
    return rows


def parse_row(loader: ManifestLoader, row_type: RowType, node: yaml.Node) -> ManifestRow:
    mapping_items(node, _("A row must be a mapping of columns."))
    try:
        values, raw_password = row_type.clean(loader.construct_document(node))
        row_type.check_key_columns(values)
    except ValidationError as error:
        raise error_at(node, " ".join(error.messages)) from error
    return ManifestRow(row_type, values, line_number(node), raw_password)


def check_foreign_domains(manifest: Manifest) -> None:
    """Refuse rows outside the domains of the manifest."""
    described = set(manifest.domains)
    for rows in manifest.sections.values():
        for row in rows.values():
            if fold(row.row_type.get_domain(row.values)) not in described:
                text = _("%(key)s is in a domain that this file does not list.")
                place = _("line %(line)s") % {"line": row.line}
                raise SourceError(text % {"key": row.key}, place)
