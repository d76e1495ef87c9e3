"""Parsing of Postfix configurations, with the line of each value."""

import pytest

from mailboxes.mailserver.config_parser.defaults import POSTFIX_DEFAULTS
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from tests.mailboxes.parsed_files import POSTFIXES, SAMPLES, output_of, postconf, postfix, squeezed


@pytest.mark.mailserver
@pytest.mark.parametrize("name", POSTFIXES)
def test_values_match_postconf(name):
    folder = SAMPLES / name / "postfix"
    files = PostfixFiles(folder)
    names = sorted({*POSTFIX_DEFAULTS, *files.settings, "myhostname", "mydomain", "mynetworks"})
    lines = postconf(folder, "-x", *names).splitlines()
    expected = {
        name: squeezed(value) for name, _is, value in (line.partition(" =") for line in lines)
    }
    if not files.is_set("mynetworks"):  # of the machine, not of the folder
        networks = expected.pop("mynetworks")
        expected["proxy_read_maps"] = squeezed(expected["proxy_read_maps"].replace(networks, ""))
    assert {name: squeezed(files.value(name)) for name in expected} == expected
    assert len(expected) > len(POSTFIX_DEFAULTS)


@pytest.mark.mailserver
@pytest.mark.parametrize("name", POSTFIXES)
def test_services_match_postconf(name):
    folder = SAMPLES / name / "postfix"
    files = PostfixFiles(folder)
    expected = [line.split()[:8] for line in postconf(folder, "-M").splitlines()]
    assert [list(service.fields) for service in files.services] == expected
    for service in files.services:
        for option, setting in service.options.items():
            line = postconf(folder, "-P", f"{service.name}/{service.type}/{option}")
            assert squeezed(line.partition("=")[2]) == squeezed(setting.value)


@pytest.mark.mailserver
def test_defaults_match_postfix():
    expected = dict(
        line.split(" = ", 1) for line in output_of("postconf", "-d").splitlines() if " = " in line
    )
    assert {name: expected[name] for name in POSTFIX_DEFAULTS} == POSTFIX_DEFAULTS


EXPANSIONS = {
    "plain": "$base and ${base} and $(base)",
    "dollar": "pa$$word",
    "undefined": "[$nobody_set_this]",
    "set": "${base?yes}-${empty?yes}",
    "unset": "${base:no}-${empty:no}",
    "either": "${base?{yes}:{no}}-${empty?{yes}:{no}}",
    "nested": "${empty?{a}:{${base?{$base}:{c}}}}",
    "equal": "${{$base} == {/mail} ? {same} : {other}}",
    "numbers": "${{9} < {10} ? {less} : {more}}",
    "words": "${{b9} < {b10} ? {less} : {more}}",
    "mixed": "${{9} < {b} ? {less} : {more}}",
    "unequal": "${{$base} != {} ? {full}}",
    "old": "${{$compatibility_level} <level {3.6} ? {old} : {new}}",
    "new": "${{$compatibility_level} >=level {3.10} ? {new} : {old}}",
    "chain": "$chain/$base",
    "followed": "$base.cf",
}


@pytest.mark.mailserver
@pytest.mark.parametrize("name", EXPANSIONS)
def test_parameters_in_values_are_expanded_like_postfix(name, tmp_path):
    lines = ["compatibility_level = 3.9", "base = /mail", "empty ="]
    lines += ["chain = ${empty:$base/x}"]
    files = postfix(tmp_path, "\n".join([*lines, f"myorigin = {EXPANSIONS[name]}", ""]))
    expected = postconf(tmp_path, "-x", "-h", "myorigin")
    assert files.value("myorigin") == expected.rstrip("\n")


def test_a_value_that_names_itself_is_empty_and_known(tmp_path):
    files = postfix(tmp_path, "a = $b\nb = x $a\nc = fine\n")
    assert files.value("a") == ""
    assert [setting.name for setting in files.find_recursive_settings()] == ["a", "b"]


def test_lines_continue_after_comments_and_empty_lines(tmp_path):
    files = postfix(
        tmp_path, "# first\n\nmydestination = one,\n# amidst\n\n\ttwo\n  three\nmyorigin=x\n"
    )
    assert files.words("mydestination") == ["one", "two", "three"]
    assert files.get_line("mydestination", "two") == Line(f"{tmp_path}/main.cf", 6, "\ttwo")
    assert files.get_line("myorigin").number == 8
    assert files.get_line("relayhost") == Line(f"{tmp_path}/main.cf", 0, "")


def test_the_last_line_wins_and_earlier_ones_are_reported(tmp_path):
    files = postfix(tmp_path, "myorigin = a\nmydomain = b\nmyorigin = c\n")
    assert files.value("myorigin") == "c"
    assert [setting.line.number for setting in files.find_duplicates()] == [1]


def test_mydomain_is_derived_from_myhostname(tmp_path):
    files = postfix(tmp_path, "myhostname = mx1.hosting.example\n")
    assert files.value("mydomain") == "hosting.example"
    assert files.value("mydestination") == (
        "mx1.hosting.example, localhost.hosting.example, localhost"
    )


def test_overrides_of_a_service_apply(tmp_path):
    files = postfix(
        tmp_path,
        "smtpd_sender_restrictions = permit\nmua = reject_sender_login_mismatch\n",
        "smtp inet n - y - - smtpd\n"
        "submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n"
        "  -o { smtpd_sender_restrictions = $mua, reject }\n",
    )
    submission = files.service("submission")
    view = files.for_service(submission)
    assert view.is_yes("smtpd_sasl_auth_enable")
    assert view.words("smtpd_sender_restrictions") == ["reject_sender_login_mismatch", "reject"]
    assert view.get_line("smtpd_sender_restrictions").number == 3
    assert files.words("smtpd_sender_restrictions") == ["permit"]
    assert submission.line.number == 2
    assert files.service("submission", "unix") is None


def test_flags_of_a_pipe_are_parsed(tmp_path):
    files = postfix(
        tmp_path, "", "lda unix - n n - - pipe flags=DRhu user=vmail\n argv=/bin/lda ${recipient}\n"
    )
    assert files.service("lda").flags == {"flags": "DRhu", "user": "vmail", "argv": "/bin/lda"}


def test_missing_and_broken_files_are_reported_as_problems(tmp_path):
    files = PostfixFiles(tmp_path / "nowhere")
    assert files.value("virtual_transport") == "virtual"
    assert {problem.code for problem in files.problems} == {"unreadable-file"}
    files = postfix(tmp_path, "no setting\n= x\nmyorigin = x\n", "smtp inet n\n")
    assert [(p.code, p.line.text) for p in files.problems] == [
        ("broken-line", "no setting"),
        ("broken-line", "= x"),
        ("broken-line", "smtp inet n"),
    ]
    assert files.value("myorigin") == "x"


def test_control_characters_are_read_and_escaped_in_output(tmp_path):
    postfix(tmp_path)
    (tmp_path / "main.cf").write_bytes(b"myorigin = \xff\xfe\x1b[31m\n")
    files = PostfixFiles(tmp_path)
    assert files.value("myorigin") == "\udcff\udcfe\x1b[31m"
    assert files.get_line("myorigin").shown == "myorigin = ���[31m"
