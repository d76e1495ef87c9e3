"""A description of domains and what is in them, as people write it: YAML, which JSON is too."""

import re
from dataclasses import dataclass, field

import yaml
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.row_types import ROW_TYPES

MANIFEST_ROW_TYPES = ("domain", "mailbox", "alias", "alias-domain")
SECTIONS = {ROW_TYPES[name].table: ROW_TYPES[name] for name in MANIFEST_ROW_TYPES}
MAX_DEPTH = 10
YAML_NULL_TAG = "tag:yaml.org,2002:null"


class ManifestLoader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
    """All is text, as in other files: a person called `No` stays what he is, and so does 010."""


ManifestLoader.add_implicit_resolver(YAML_NULL_TAG, re.compile("~|null|Null|NULL"), ["~", "n", "N"])
ManifestLoader.add_constructor(YAML_NULL_TAG, lambda loader, node: None)


@dataclass
class ManifestRow:
    """What one row has to be like, and in which line of the file that stands."""

    kind: object
    values: dict
    line: int

    @property
    def key(self):
        return self.kind.folded_key(self.values)


@dataclass
class Manifest:
    """Rows by section. What a section does not name, it does not want in the domains named."""

    sections: dict = field(default_factory=dict)  # table → {folded key: row}

    @property
    def domains(self):
        return list(self.sections["domains"])

    def rows(self, table):
        return self.sections.get(table, {})


def parse_manifest(text, name):
    """The description in a text; all that is wrong with it is told at once, line by line."""
    try:
        check_depth(text)
        loader = ManifestLoader(text)
        root = loader.get_single_node()
        sections = mapping_items(root, _("The file has to be a list of sections."))
        description = Manifest()
        for key, node in sections:
            table = parse_section_name(key)
            description.sections[table] = parse_section(loader, SECTIONS[table], node)
    except yaml.YAMLError as error:
        raise SourceError(" ".join(str(error).split()), name) from error
    if "domains" not in description.sections:
        raise SourceError(_("There is no section “domains”, which says what is described."), name)
    check_foreign_domains(description)
    return description


def check_depth(text):
    """Sections, rows, columns and lists of names; what is deeper would only fill the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=ManifestLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise error_at(event, _("This is nested too deeply."))


def mapping_items(node, text):
    """(key node, value node) of a mapping, no key of which stands there twice."""
    if not isinstance(node, yaml.MappingNode):
        raise error_at(node, text) if node is not None else SourceError(text, "1")
    seen = set()
    for key, _value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise error_at(key, _("A name has to stand here."))
        if key.value in seen:
            raise error_at(key, _("“%(name)s” stands there twice.") % {"name": key.value})
        seen.add(key.value)
    return node.value


def error_at(node, text):
    return SourceError(text, _("line %(line)s") % {"line": line_number(node)})


def line_number(node):
    return node.start_mark.line + 1


def parse_section_name(key):
    if key.value not in SECTIONS:
        text = _("There is no section “%(name)s”; there are %(names)s.")
        raise error_at(key, text % {"name": key.value, "names": ", ".join(SECTIONS)})
    return key.value


def parse_section(loader, kind, node):
    """The rows of a section by their keys."""
    if not isinstance(node, yaml.SequenceNode):
        raise error_at(node, _("A section is a list of rows."))
    rows = {}
    for each in node.value:
        row = parse_row(loader, kind, each)
        if row.key in rows:
            text = _("This is there twice; the first is in line %(line)s.")
            raise error_at(each, text % {"line": rows[row.key].line})
        rows[row.key] = row
    return rows


def parse_row(loader, kind, node):
    mapping_items(node, _("A row is a list of columns."))
    try:
        values = kind.clean(loader.construct_document(node))
        kind.check_key_columns(values)
    except ValidationError as error:
        raise error_at(node, " ".join(error.messages)) from error
    return ManifestRow(kind, values, line_number(node))


def check_foreign_domains(description):
    """Whatever is described lies in a domain that is."""
    named = set(description.domains)
    for rows in description.sections.values():
        for row in rows.values():
            if fold(row.kind.domain(row.values)) not in named:
                text = _("%(key)s is in a domain that this file does not describe.")
                place = _("line %(line)s") % {"line": row.line}
                raise SourceError(text % {"key": row.key}, place)
