"""The generated configuration, as Postfix and Dovecot parse it."""

import io
import os
import re
import shutil
import subprocess

import pytest
from django.core.management import call_command
from django.db import connection

from mailboxes.mailserver.generator import files
from mailboxes.mailserver.generator.choices import detect_options
from tests.mailboxes.generated_files import config
from tests.programs import command, installed

STOCK = installed("/usr/share/postfix")


@pytest.mark.mailserver
@pytest.mark.parametrize("options", [(), ("--delivery=lda",), ("--direct",)], ids=str)
@pytest.mark.django_db
def test_postfix_accepts_the_configuration(folders, options):
    config(folders, *options)
    for what in ("-n", "-M", "-P"):
        said = postconf(folders["postfix"], what)
        assert said.stderr == ""
        assert said.returncode == 0
    kind = {"mysql": "mysql", "sqlite": "sqlite"}[connection.vendor]
    prefix = "" if "--direct" in options else "proxy:"
    expected = f"{prefix}{kind}:{folders['postfix']}/mailadmin/relay_domains.cf"
    assert value(folders["postfix"], "relay_domains") == expected.replace(
        str(folders["postfix"]), "$config_directory"
    )
    assert value(folders["postfix"], "virtual_transport") == (
        "dovecot" if "--delivery=lda" in options else "lmtp:unix:private/dovecot-lmtp"
    )


def postconf(folder, *arguments):
    """Return the output of postconf, once the files are old enough to be read in one go."""
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))
    return subprocess.run(
        [command("postconf"), "-c", folder, *arguments], capture_output=True, text=True
    )


def value(folder, name):
    return postconf(folder, "-h", name).stdout.strip()


@pytest.mark.mailserver
@pytest.mark.django_db
def test_the_script_applies_the_same_to_a_stock_configuration(folders, tmp_path):
    config(folders, "--delivery=lda")
    stock = tmp_path / "stock"
    stock.mkdir()
    for name in ("main.cf", "master.cf"):
        shutil.copy(STOCK / f"{name}.dist", stock / name)
    before = (stock / "main.cf").read_text()
    said = io.StringIO()
    options = ["--hostname=mail.test", "--delivery=lda", f"--postfix={stock}"]
    call_command("mailserver", "config", *options, "--keep", stdout=said)
    assert (stock / "main.cf").read_text() == before
    assert f"sh {stock}/mailadmin/postconf.sh" in said.getvalue()
    script = stock / "mailadmin/postconf.sh"
    for _time in range(2):
        done = subprocess.run(["sh", script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert "virtual_mailbox_domains =" in done.stdout
    ours, theirs = parameters(folders["postfix"]), parameters(stock)
    for name in ours.keys() - files.HOST_PARAMETERS - {"config_directory"}:
        assert theirs[name] == ours[name].replace(str(folders["postfix"]), str(stock)), name
    services = set(postconf(stock, "-M").stdout.splitlines())
    wanted = postconf(folders["postfix"], "-M").stdout.replace(str(folders["postfix"]), str(stock))
    wanted = wanted.splitlines()
    own = [line for line in wanted if re.match(r"submission|smtps|mailadmin-auto|dovecot", line)]
    assert len(own) == 4
    assert {squeezed(line) for line in own} <= {squeezed(line) for line in services}
    assert len({line.split()[0:2][0] + line.split()[1] for line in services}) == len(services)


def parameters(folder):
    lines = postconf(folder, "-n").stdout.splitlines()
    return dict(line.split(" =", 1) for line in lines)


def squeezed(text):
    return " ".join(text.split())


@pytest.mark.mailserver
@pytest.mark.parametrize("options", [(), ("--delivery=lda",), ("--sieve",)], ids=str)
@pytest.mark.django_db
def test_dovecot_accepts_the_configuration(folders, tmp_path, options):
    certificate = tmp_path / "certificate.pem"
    certificate.write_text("nothing\n")
    config(folders, f"--certificate={certificate}", f"--key={certificate}", *options)
    assert (
        (folders["dovecot"] / "dovecot.conf")
        .read_text()
        .startswith(f"# Dovecot {detect_options()['dovecot_version']} ")
    )
    for form_data, expected in (("-n", "quota_clone"), ("auth_username_chars", "*+=?^_{|}~.@-")):
        said = subprocess.run(
            [command("doveconf"), "-c", folders["dovecot"] / "dovecot.conf", form_data],
            capture_output=True,
            text=True,
        )
        assert (said.returncode, said.stderr) == (0, "")
        assert expected in said.stdout


@pytest.mark.parametrize("options", [(), ("--delivery=lda",), ("--direct",), ("--sieve",)], ids=str)
@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.django_db
def test_the_check_finds_no_fault_in_the_configuration(folders, version, options):
    config(folders, f"--dovecot-version={version}", *options)
    out = io.StringIO()
    places = [f"--{name}={folder}" for name, folder in folders.items()]
    call_command("mailserver", "check", *places, stdout=out)
    assert out.getvalue().strip() == "No problems found."
