"""What 2.3 has in plugin { }: quotas and Sieve get blocks of their own, the rest stays or goes."""

import re

from mailboxes.mailserver.reading.names import PLUGIN
from mailboxes.mailserver.upgrading.result import Lost, Made, assignment, block
from mailboxes.mailserver.upgrading.variables import converted

# Settings that have the same name outside of it.
KEPT = frozenset({
    "fts_autoindex", "fts_autoindex_max_recent_msgs", "fts_message_max_size",
    "last_login_precision", "lazy_expunge_only_last_instance", "mail_log_cached_only",
    "mail_log_events", "mail_log_fields", "quota_exceeded_message", "quota_status_nouser",
    "quota_status_overquota", "quota_status_success", "quota_status_toolarge",
    "sieve_duplicate_default_period", "sieve_duplicate_max_period", "sieve_execute_bin_dir",
    "sieve_execute_exec_timeout", "sieve_execute_input_eol", "sieve_execute_socket_dir",
    "sieve_extensions", "sieve_global_extensions", "sieve_implicit_extensions",
    "sieve_filter_bin_dir", "sieve_filter_exec_timeout", "sieve_filter_input_eol",
    "sieve_filter_socket_dir", "sieve_include_max_includes", "sieve_include_max_nesting_depth",
    "sieve_max_actions", "sieve_max_cpu_time", "sieve_max_redirects", "sieve_max_script_size",
    "sieve_notify_mailto_envelope_from", "sieve_pipe_bin_dir", "sieve_pipe_exec_timeout",
    "sieve_pipe_input_eol", "sieve_pipe_socket_dir", "sieve_plugins",
    "sieve_redirect_envelope_from", "sieve_report_from", "sieve_resource_usage_timeout",
    "sieve_spamtest_status_header", "sieve_spamtest_status_type", "sieve_trace_addresses",
    "sieve_trace_debug", "sieve_trace_dir", "sieve_trace_level", "sieve_user_email",
    "sieve_vacation_default_period", "sieve_vacation_max_period", "sieve_vacation_min_period",
    "sieve_vacation_send_from_recipient", "sieve_vacation_to_header_ignore_envelope",
    "sieve_vacation_use_original_recipient", "sieve_virustest_status_header",
    "sieve_virustest_status_type",
})  # fmt: skip
WARNING = re.compile(r"(-)?(storage|bytes|messages?)=(\d+)%{0,2}\s+([\w.-]+)\s*(.*)")
RULE = re.compile(r"\*:(?:(storage|bytes)=(\d+\s*[BbKkMmGgTt]?[Bb]?))?(?::?messages=(\d+))?")
FOLDER_RULE = re.compile(r"([^*:][^:]*):(ignore|storage=\+(\w+))")
GRACE = "# The last message may exceed it: in 2.3 by a tenth, in 2.4 by quota_storage_grace (10 M)."
SCRIPTS = {"sieve_before": "before", "sieve_after": "after", "sieve_default": "default"}
SCRIPTS |= {"sieve_global": "global", "sieve_global_dir": "global", "sieve_discard": "discard"}
NUMBERED = re.compile(r"(sieve_(?:before|after)|quota_rule|quota_warning|quota)\d+")


def converted_plugin(setting):
    """A setting of plugin { }, as 2.4 has it; what it has not is Lost."""
    numbered = NUMBERED.fullmatch(setting.name)
    name = numbered[1] if numbered else setting.name
    if name in SPECIAL:
        yield from SPECIAL[name](setting)
    elif name in SCRIPTS:
        yield from script(setting, SCRIPTS[name], setting.name.removeprefix("sieve_"))
    elif name in PLUGIN:
        yield Made([assignment(PLUGIN[name], converted(setting.value))], setting)
    elif name in KEPT:
        yield Made([assignment(name, converted(setting.value))], setting)
    else:
        yield Lost(setting)


def quota(setting):
    """`count:User quota:ns=…`; all but what the system counts is counted by Dovecot."""
    driver, _colon, rest = setting.value.partition(":")
    name, _colon, options = rest.partition(":")
    lines = [GRACE, "driver = fs" if driver == "fs" else "driver = count"]
    lines += ["hidden = yes"] if "hidden" in options.split(":") else []
    yield Made(block("quota", name or "User quota", lines), setting)
    if left := [word for word in options.split(":") if word not in ("", "hidden", "noenforcing")]:
        yield Lost(setting, ":".join(left))


def rule(setting):
    if folder := FOLDER_RULE.fullmatch(setting.value):
        output = (
            "quota_ignore = yes" if folder[2] == "ignore" else f"quota_storage_extra = {folder[3]}"
        )
        inner = block("mailbox", folder[1], [output])
        yield Made(block("namespace", "inbox", inner), setting)
        return
    found = RULE.fullmatch(setting.value)
    if not found or not (found[2] or found[3]):
        yield Lost(setting)
        return
    for name, value in limits(found).items():
        yield Made([assignment(name, value)], setting)


def limits(rule):
    """The limits of a rule for all folders."""
    found = {}
    if rule[2]:
        unit = "" if rule[2][-1].isalpha() else "B" if rule[1] == "bytes" else "k"
        found["quota_storage_size"] = f"{rule[2]}{unit}"
    if rule[3]:
        found["quota_message_count"] = rule[3]
    return found


def warning(setting):
    found = WARNING.fullmatch(setting.value)
    if not found:
        yield Lost(setting)
        return
    under, kind, number, service, arguments = found.groups()
    resource = "message" if kind.startswith("message") else "storage"
    lines = ["resource = message"] if resource == "message" else []
    lines += ["threshold = under"] if under else []
    lines += [f"quota_{resource}_percentage = {number}"]
    lines += block("execute", service, [assignment("args", converted(arguments))])
    name = f"{'under' if under else 'over'}-{number}-{resource}"
    yield Made(block("quota_warning", name, lines), setting)


def clone(setting):
    """`proxy::name` or another dictionary."""
    driver, _colon, rest = setting.value.partition(":")
    name = rest.rpartition(":")[2]
    if driver != "proxy" or not name:
        yield Lost(setting)
        return
    inner = block("dict", "proxy", [assignment("name", name)])
    yield Made(block("quota_clone", "", inner), setting)


def grace(setting):
    """A part of the limit is a size now."""
    if "%" in setting.value:
        yield Lost(setting, "quota_storage_grace = SIZE")
    else:
        yield Made([assignment("quota_storage_grace", setting.value)], setting)


def script(setting, kind, name):
    """A script or a folder of them: `file:~/sieve;active=~/.dovecot.sieve`."""
    place, *options = setting.value.split(";")
    driver, colon, path = place.partition(":")
    if not colon:
        driver, path = "file", place
    known = dict(option.partition("=")[::2] for option in options)
    lines = [] if kind == "personal" else [f"type = {kind}"]
    lines += [] if driver == "file" else [assignment("driver", driver)]
    lines += [assignment("path", converted(path))]
    if active := known.get("active"):
        lines += [assignment("active_path", converted(active))]
    yield Made(block("sieve_script", name, lines), setting)
    if left := [option for option in options if option.partition("=")[0] not in ("", "active")]:
        yield Lost(setting, ";".join(left))


def sieve(setting):
    yield from script(setting, "personal", "personal")


def compress(setting):
    yield Made([assignment("mail_compress_write_method", setting.value)], setting)


def acl(setting):
    """`vfile`, and a global file that is gone."""
    driver, _colon, rest = setting.value.partition(":")
    yield Made([assignment("acl_driver", driver)], setting)
    if rest:
        yield Lost(setting, rest)


def nothing(setting):
    """What 2.4 does without being told."""
    yield Made([], setting)


SPECIAL = {
    "acl": acl,
    "quota": quota,
    "quota_clone_dict": clone,
    "quota_grace": grace,
    "quota_rule": rule,
    "quota_vsizes": nothing,
    "quota_warning": warning,
    "sieve": sieve,
    "zlib_save": compress,
}
