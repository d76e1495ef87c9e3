"""A description of domains and what is in them, as people write it: YAML, which JSON is too."""

import re
from dataclasses import dataclass, field

import yaml
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.transfer.entries import UnfitSource
from mailboxes.transfer.row_types import KINDS

DESCRIBED = ("domain", "mailbox", "alias", "alias-domain")
SECTIONS = {KINDS[name].table: KINDS[name] for name in DESCRIBED}
DEEPEST = 10
NULL = "tag:yaml.org,2002:null"


class Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
    """All is text, as in other files: a person called `No` stays what he is, and so does 010."""


Loader.add_implicit_resolver(NULL, re.compile("~|null|Null|NULL"), ["~", "n", "N"])
Loader.add_constructor(NULL, lambda loader, node: None)


@dataclass
class Row:
    """What one row has to be like, and in which line of the file that stands."""

    kind: object
    values: dict
    line: int

    @property
    def key(self):
        return self.kind.folded_key(self.values)


@dataclass
class Description:
    """Rows by section. What a section does not name, it does not want in the domains named."""

    sections: dict = field(default_factory=dict)  # table → {folded key: row}

    @property
    def domains(self):
        return list(self.sections["domains"])

    def rows(self, table):
        return self.sections.get(table, {})


def described(text, name):
    """The description in a text; all that is wrong with it is told at once, line by line."""
    try:
        refuse_deep(text)
        loader = Loader(text)
        root = loader.get_single_node()
        sections = pairs_of(root, _("The file has to be a list of sections."))
        description = Description()
        for key, node in sections:
            table = section_name(key)
            description.sections[table] = section(loader, SECTIONS[table], node)
    except yaml.YAMLError as error:
        raise UnfitSource(" ".join(str(error).split()), name) from error
    if "domains" not in description.sections:
        raise UnfitSource(_("There is no section “domains”, which says what is described."), name)
    refuse_strangers(description)
    return description


def refuse_deep(text):
    """Sections, rows, columns and lists of names; what is deeper would only fill the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise at(event, _("This is nested too deeply."))


def pairs_of(node, text):
    """(key node, value node) of a mapping, no key of which stands there twice."""
    if not isinstance(node, yaml.MappingNode):
        raise at(node, text) if node is not None else UnfitSource(text, "1")
    seen = set()
    for key, _value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise at(key, _("A name has to stand here."))
        if key.value in seen:
            raise at(key, _("“%(name)s” stands there twice.") % {"name": key.value})
        seen.add(key.value)
    return node.value


def at(node, text):
    return UnfitSource(text, _("line %(line)s") % {"line": line_of(node)})


def line_of(node):
    return node.start_mark.line + 1


def section_name(key):
    if key.value not in SECTIONS:
        text = _("There is no section “%(name)s”; there are %(names)s.")
        raise at(key, text % {"name": key.value, "names": ", ".join(SECTIONS)})
    return key.value


def section(loader, kind, node):
    """The rows of a section by their keys."""
    if not isinstance(node, yaml.SequenceNode):
        raise at(node, _("A section is a list of rows."))
    rows = {}
    for each in node.value:
        row = row_of(loader, kind, each)
        if row.key in rows:
            text = _("This is there twice; the first is in line %(line)s.")
            raise at(each, text % {"line": rows[row.key].line})
        rows[row.key] = row
    return rows


def row_of(loader, kind, node):
    pairs_of(node, _("A row is a list of columns."))
    try:
        values = kind.clean(loader.construct_document(node))
        kind.refuse_nameless(values)
    except ValidationError as error:
        raise at(node, " ".join(error.messages)) from error
    return Row(kind, values, line_of(node))


def refuse_strangers(description):
    """Whatever is described lies in a domain that is."""
    named = set(description.domains)
    for rows in description.sections.values():
        for row in rows.values():
            if fold(row.kind.domain(row.values)) not in named:
                text = _("%(key)s is in a domain that this file does not describe.")
                place = _("line %(line)s") % {"line": row.line}
                raise UnfitSource(text % {"key": row.key}, place)
