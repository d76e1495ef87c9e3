"""passdb and userdb of 2.3, whose arguments are settings in 2.4, and whose SQL stands in them."""

import functools
import re

from mailboxes.mailserver.config_parser.dovecot import driver
from mailboxes.mailserver.config_parser.lines import read
from mailboxes.mailserver.config_parser.tree import is_yes
from mailboxes.mailserver.converter.locations import place_in_fields
from mailboxes.mailserver.converter.plugin import RULE, limits
from mailboxes.mailserver.converter.queries import query_of, undecided
from mailboxes.mailserver.converter.result import Lost, Made, Section, assignment, block, head
from mailboxes.mailserver.converter.variables import AUTHENTICATION, Untranslatable, converted

# driver of 2.3 → of 2.4, where they are not the same
DRIVERS = {"shadow": "pam"}
GONE_DRIVERS = ("checkpassword", "dict", "vpopmail", "sia", "bsdauth")
KEPT = ("deny", "master", "auth_verbose", "result_failure", "result_internalfail")
KEPT += ("result_success", "skip", "username_filter")
OLD_FIELDS = ("userdb_mail", "userdb_quota_rule")  # of a passwd-file; 2.4 ignores them
# Fields that keep people out, from some places or at all.
RESTRICTING = re.compile(r"\b(?:allow_nets|allow_real_nets|nologin)=")
PAM = {"session": "session", "setcred": "setcred", "failure_show_msg": "failure_show_msg"}
PAM |= {"max_requests": "max_requests"}
QUERIES = {"passdb": ("password_query",), "userdb": ("user_query", "iterate_query")}
# The scheme of passwords that name none, where nothing is said.
UNSET = {"sql": "MD5", "passwd-file": "CRYPT"}


class Authentication:
    """The passdbs and userdbs of a configuration: each gets a name that is its own."""

    def __init__(self, dovecot, connections, inherited):
        self.dovecot, self.connections = dovecot, connections
        self.inherited = inherited  # options of mail_location
        self.used = set()
        self.unguarded = []  # passdbs that keep people out in 2.3, and no longer

    def section(self, source):
        made = self._section(source)
        lost = [each.source for each in parts_of(made) if isinstance(each, Lost)]
        if lost and (is_guard(source) or any(RESTRICTING.search(each.value) for each in lost)):
            self.unguarded.append(source)
        return made

    def _section(self, source):
        kind, old = source.kind, driver(source)
        if old in GONE_DRIVERS or old == "ldap":
            return [Lost(setting) for setting in source.settings()]
        new = DRIVERS.get(old, old)
        name = self._name(kind, new)
        found = Section(head(kind, name), source.line, was=head(kind, source.name))
        found.children += [] if name == new else [f"driver = {new}"]
        found.children += [each for part in PARTS for each in part(self, source, new, name)]
        return [found]

    def _name(self, kind, new):
        name = next(
            each
            for each in (new, *(f"{new}{number}" for number in range(2, 1000)))
            if (kind, each) not in self.used
        )
        self.used.add((kind, name))
        return name

    def arguments(self, source, new, name):
        """What stands in args: options of the driver, or the file with its SQL."""
        setting = source.setting("args")
        if new == "sql":
            yield from self._sql(source, name)
        elif setting and new in ARGUMENTS:
            prefix = "" if name == new else f"{new}_"
            convert = functools.partial(
                ARGUMENTS[new], setting, source.kind, prefix, self.inherited
            )
            yield from attempted(setting, convert)
        elif setting and setting.value:
            yield Lost(setting)

    def _sql(self, source, name):
        """The queries of the file that it names, beside the connection."""
        path = self.dovecot.locate(source.value("args"))
        file = self.dovecot.sql_files.get(path)
        if file is None or not file.children:
            yield from (Lost(setting) for setting in source.settings() if setting.name == "args")
            return
        yield from self.connections.inside(file)
        prefix = "" if name == "sql" else "sql_"
        if source.kind == "passdb":
            scheme = file.setting("default_pass_scheme")
            text = assignment("default_password_scheme", scheme.value if scheme else UNSET["sql"])
            yield Made([text], scheme) if scheme else text
        for old in QUERIES[source.kind]:
            if setting := file.setting(old):
                new = "iterate_query" if old == "iterate_query" else "query"
                yield from self._query(setting, f"{prefix}{new}", file, source.kind)

    def _query(self, setting, new, file, kind):
        prefix = "userdb_" if kind == "passdb" else ""
        try:
            if setting.name == "iterate_query":  # returns names only
                made = converted(setting.value, AUTHENTICATION)
            else:
                made = query_of(setting.value, file.value("driver"), prefix, self.inherited)
        except Untranslatable as error:
            yield Lost(setting, str(error))
            return
        yield Made([assignment(new, made)], setting)
        if about := undecided(setting.value, prefix):
            yield Lost(setting, about)

    def fields(self, source, _new, _name):
        """default_fields and override_fields, as fields { } of 2.4."""
        for name, suffix in (("default_fields", ":default"), ("override_fields", "")):
            setting = source.setting(name)
            if setting and setting.value:
                convert = functools.partial(of_fields, setting, suffix, self.inherited)
                yield from attempted(setting, convert)

    def others(self, source, _new, _name):
        for setting in source.settings():
            if setting.name in KEPT and setting.value not in ("default", ""):
                yield Made([assignment(setting.name, setting.value)], setting)
            elif setting.name == "mechanisms" and setting.value:
                yield Made([assignment("mechanisms_filter", setting.value)], setting)
            elif setting.name == "pass" and is_yes(setting.value):
                yield Made(["result_success = continue"], setting)


def is_guard(source):
    """Whether those whom it knows, or does not know, cannot log in by another passdb."""
    fails = ("return-fail", "return")
    is_strict = source.value("result_failure") in fails or (
        source.value("result_success") == "return-fail"
    )
    return source.kind == "passdb" and (is_yes(source.value("deny")) or is_strict)


def parts_of(found):
    for each in found:
        yield from parts_of(each.children) if isinstance(each, Section) else (each,)


PARTS = (Authentication.arguments, Authentication.fields, Authentication.others)


def attempted(setting, convert):
    """What the conversion gives, or the setting as Lost where it has no word for a variable."""
    try:
        return list(convert())
    except Untranslatable as error:
        return [Lost(setting, str(error))]


def of_fields(setting, suffix, inherited):
    lines = [
        assignment(f"{key}{suffix}", value) for key, value in fields_of(setting.value, inherited)
    ]
    yield Made(block("fields", "", lines), setting)


def fields_of(text, inherited):
    """Fields that are the same for all, those of 2.4 instead of mail and quota_rule."""
    for word in text.split():
        name, sign, value = word.partition("=")
        prefix = "userdb_" if name.startswith("userdb_") else ""
        field = name.removeprefix("userdb_")
        if field == "mail":
            found = place_in_fields(value, inherited, AUTHENTICATION)
        elif field.startswith("quota_rule"):
            found = quota_in_fields(field, value)
        else:
            found = {field: converted(value, AUTHENTICATION) if sign else "yes"}
        yield from ((f"{prefix}{key}", each) for key, each in found.items())


def quota_in_fields(name, value):
    found = RULE.fullmatch(value) if name == "quota_rule" else None
    if not found or not (found[2] or found[3]):
        raise Untranslatable(f"{name}={value}")
    return limits(found)


def of_pam(setting, _kind, prefix, _inherited):
    lines, left = [], []
    for word in setting.value.split():
        name, sign, value = word.partition("=")
        if name in PAM:
            lines.append(f"{prefix}{PAM[name]} = {value if sign else 'yes'}")
        elif not sign and word not in ("*", "%s"):
            lines.append(f"{prefix}service_name = {word}")
        elif word in ("*", "%s"):
            lines.append(f"{prefix}service_name = %{{protocol}}")
        else:
            left.append(word)
    yield Made(lines, setting)
    if left:
        yield Lost(setting, " ".join(left))


def of_passwd_file(setting, kind, _prefix, _inherited):
    *options, path = setting.value.split() or [""]
    known = dict(option.partition("=")[::2] for option in options)
    lines = [assignment("passwd_file_path", converted(path, AUTHENTICATION))]
    scheme = known.get("scheme", UNSET["passwd-file"])
    lines += [f"default_password_scheme = {scheme}"] if kind == "passdb" else []
    if form := known.get("username_format"):
        lines.append(assignment("auth_username_format", converted(form, AUTHENTICATION)))
    yield Made(lines, setting)
    if found := old_fields(path, kind):
        yield Lost(setting, f"{found}: {path}")


def old_fields(path, kind):
    """Fields of 2.3 in the file, in which each user may have their own.

    Of a userdb that cannot be read, what may be in it.
    """
    try:
        text = "" if "%" in path else read(path)
    except OSError:
        text = ""
    if not text:
        return ", ".join(OLD_FIELDS) if kind == "userdb" else ""
    return ", ".join(name for name in OLD_FIELDS if re.search(rf"[\s:]{name}\d*=", text))


def of_static(setting, kind, prefix, inherited):
    lines, fields = [], []
    for name, value in fields_of(setting.value, inherited):
        if kind == "userdb" and name == "allow_all_users":
            lines.append(f"static_allow_all_users = {value}")
        elif kind == "passdb" and name == "password":
            lines.append(assignment(f"{prefix}password", value))
        else:
            fields.append(assignment(name, value))
    yield Made(lines + (block("fields", "", fields) if fields else []), setting)


def without_arguments(setting, _kind, _prefix, _inherited):
    """Arguments of passwd and prefetch, of which 2.4 has none."""
    if setting.value:
        yield Lost(setting)


ARGUMENTS = {
    "pam": of_pam,
    "passwd": without_arguments,
    "passwd-file": of_passwd_file,
    "prefetch": without_arguments,
    "static": of_static,
}
