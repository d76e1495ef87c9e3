"""Exported map files: postmap gives the same results as the panel's queries."""

import datetime
import shutil
import subprocess

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from domains.models import AliasDomain, Domain
from mailadmin import passwords
from mailadmin.db.fields import split_goto
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.generator.choices import detect_options
from mailboxes.models import Alias, Mailbox, Vacation, vacation_target
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.routing import build_panel_config
from mailboxes.transfer.export import hashfiles
from mailboxes.transfer.export.disk import INDEX_FILENAME
from tests import dovecot_server, programs, servers
from tests.mailboxes.transfer.exported import build_database, delete_everything
from tests.mailboxes.transfer.reading import Read

pytestmark = [pytest.mark.mailserver, pytest.mark.django_db]
ACCESS = "smtpd_recipient_restrictions"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def export(folder, *arguments):
    call_command("export", "--to", "hashfiles", "--output", str(folder), *arguments)
    return folder


def compiled(folder):
    """Compile every map with postmap and assert that it warns about nothing."""
    script, environ = ["sh", folder / "postmap.sh"], {"PATH": programs.path()}
    said = subprocess.run(script, check=True, env=environ, capture_output=True, text=True)
    assert said.stderr == ""
    return folder


# Lookups


def tables_of(folder):
    """parameter → the maps of main.cf, in order; `check_recipient_access` has its own."""
    postfix = PostfixFiles(folder)
    found = {}
    for parameter in {query.parameter for query in build_postfix_maps()} - {""}:
        words = [word for word in postfix.words(parameter) if word.startswith(("hash:", "inline:"))]
        found[parameter] = [word for word in words if "access/logins" not in word]
    return found


def lookup_keys():
    """Return every key of any row, in every domain, and some unknown ones."""
    domains = list(Domain.objects.values_list("pk", flat=True))
    addresses = [
        *Mailbox.objects.values_list("pk", flat=True),
        *Alias.objects.values_list("pk", flat=True),
    ]
    local_parts = {address.rpartition("@")[0] for address in addresses} | {"nobody"}
    keys = [f"{local_part}@{domain}" for local_part in local_parts for domain in domains]
    keys += domains + [f".{domain}" for domain in domains]
    return [*keys, "*", "far.test", "sub.far.test", "autoreply.localhost", "x@far.test"]


def look_up_with_postmap(folder, table, keys):
    """Return key → result, by one call of `postmap -q -`."""
    said = subprocess.run(
        [servers.command("postmap"), "-c", folder, "-q", "-", table],
        input="".join(f"{key}\n" for key in keys),
        capture_output=True,
        text=True,
    )
    assert not said.stderr, said.stderr
    return dict(line.split("\t", 1) for line in said.stdout.splitlines())


def answers_of_files(folder, keys):
    """(parameter, key) → the first answer; of restrictions, one for each table."""
    found = {}
    for parameter, tables in tables_of(folder).items():
        for number, table in enumerate(tables):
            place = (parameter, number) if parameter == ACCESS else (parameter, 0)
            for key, answer in look_up_with_postmap(folder, table, keys).items():
                found.setdefault((*place, key), split_goto(answer))
    return found


def answers_of_panel(keys):
    found, setup = {}, build_panel_config()
    for parameter in {query.parameter for query in build_postfix_maps()} - {""}:
        for number, table in enumerate(getattr(setup, parameter)):
            place = (parameter, number) if parameter == ACCESS else (parameter, 0)
            for key in keys:
                answer = table.look_up(key).value if table.accepts_key(key) else None
                if answer is not None:
                    found.setdefault((*place, key), split_goto(answer))
    return found


def assert_same_answers(folder):
    (folder / "main.cf").touch()
    keys = lookup_keys()
    theirs, ours = answers_of_files(folder, keys), answers_of_panel(keys)
    assert ours
    different = {
        key: (theirs.get(key), ours.get(key))
        for key in {*theirs, *ours}
        if theirs.get(key) != ours.get(key)
    }
    assert different == {}
    return ours


@pytest.mark.parametrize("seed", range(4))
def test_postmap_gives_the_same_answers_as_the_panels_queries(folder, seed):
    build_database(seed, mailboxes=5)
    ours = assert_same_answers(compiled(export(folder)))
    asked = {parameter for parameter, _number, _key in ours}
    assert asked == {query.parameter for query in build_postfix_maps()} - {""}


def test_rows_of_an_alias_domain_override_those_of_its_target(folder):
    build_database(0)
    mirror = AliasDomain.objects.order_by("pk").first()
    Domain.objects.filter(pk__in=[mirror.pk, mirror.target_domain_id]).update(active=True)
    compiled(export(folder))
    said = look_up_with_postmap(
        folder, f"hash:{folder}/virtual/alias", [f"info@{mirror.pk}", f"list@{mirror.pk}"]
    )
    assert said[f"info@{mirror.pk}"] == "own@far.test"
    assert len(split_goto(said[f"list@{mirror.pk}"])) == 300


# Round trips


def plain_world():
    """Rows that map files can express: all active, no alias domains, no vacations."""
    build_database(3, mirrors=False)
    for model in (Domain, Mailbox, Alias):
        model.objects.update(active=True)
    Domain.objects.update(backupmx=False, transport="virtual", password_expiry=0)
    Mailbox.objects.update(quota=5000)
    for alias in Alias.objects.all():
        if vacation_target(alias.pk) in split_goto(alias.goto):
            alias.goto = alias.pk
            Alias.objects.filter(pk=alias.pk).update(goto=alias.pk)
    Vacation.objects.all().delete()


def entries_of(source):
    return Read("hashfiles", source)


def test_map_files_round_trip(folder):
    plain_world()
    read = entries_of(export(folder))
    assert set(read.values("domain", "domain")) == set(Domain.objects.values_list("pk", flat=True))
    mailboxes = read.values("mailbox", "username")
    for row in Mailbox.objects.all():
        values = mailboxes.pop(row.pk)
        assert (values["maildir"], values["quota_bytes"]) == (row.maildir, "5000")
        assert same_password(values["password_hash"], row.password)
    assert mailboxes == {}
    aliases = {
        alias.pk: split_goto(alias.goto) for alias in Alias.objects.all() if alias.goto != alias.pk
    }
    assert read.goto() == aliases
    assert not any(entry.error for entry in read.entries)


def same_password(round_tripped, stored):
    """Return whether the password is unchanged, or only got its scheme prefix."""
    if stored.startswith("{PLAIN}"):
        return passwords.verify(stored.removeprefix("{PLAIN}"), round_tripped)
    return round_tripped.endswith(stored)


def test_a_round_trip_gives_the_same_answers(folder, tmp_path):
    """Export a database to files, import them into another database."""
    plain_world()
    keys = lookup_keys()
    before = answers_of_panel(keys)
    export(folder)
    delete_everything()
    arguments = ("--source", str(folder), "--apply", "--rejects", str(tmp_path / "rejects"))
    call_command("import", "--from", "hashfiles", *arguments)
    after = answers_of_panel(keys)
    assert {k: v for k, v in after.items() if before.get(k) != v} == {}
    assert set(before) == set(after)


# The folder


def names_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_each_domain_has_its_file_and_all_files_are_private(folder):
    build_database(1, mirrors=False)
    export(folder)
    virtual = Domain.objects.filter(active=True, backupmx=False).values_list("pk", flat=True)
    files = {path.name for path in (folder / "virtual/mailbox").iterdir()}
    assert files == {*virtual, "domains"}
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()} == {
        "0o600"
    }


def test_above_a_hundred_domains_there_is_one_file(folder):
    domains = [Domain(domain=f"d{n}.example") for n in range(101)]
    Domain.objects.bulk_create(domains)
    for domain in domains[:3]:
        Mailbox.objects.create(
            username=f"bob@{domain.pk}",
            local_part="bob",
            domain=domain,
            maildir=f"{domain.pk}/bob/",
        )
    compiled(export(folder))
    assert {path.name for path in (folder / "virtual/mailbox").iterdir()} == {
        *("domains", "domains.db", "all", "all.db"),
    }
    assert_same_answers(folder)
    Domain.objects.filter(pk=domains[-1].pk).delete()
    export(folder)
    assert "virtual/mailbox/all" not in names_in(folder)
    assert "virtual/mailbox/d0.example" in names_in(folder)


def test_a_domain_named_like_a_compiled_map_gets_no_separate_file(folder):
    Domain.objects.bulk_create([Domain(domain="a.example"), Domain(domain="a.example.db")])
    compiled(export(folder))
    assert "virtual/mailbox/all" in names_in(folder)
    assert_same_answers(folder)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil.example", "../x.example"])
def test_no_domain_name_escapes_the_folder(folder, name):
    Domain.objects.create(domain=name)
    for arguments in ((), ("--domain", name)):
        export(folder, *arguments)
        assert "virtual/mailbox/all" in names_in(folder)
        assert {path.name for path in folder.parent.iterdir()} == {"out"}


def test_files_of_deleted_domains_are_removed_and_other_files_kept(folder):
    build_database(1, mirrors=False)
    export(folder)
    (folder / "virtual/mailbox/notes").write_text("mine")
    gone = Domain.objects.filter(active=True, backupmx=False).first().pk
    Domain.objects.filter(pk=gone).update(active=False)
    export(folder)
    assert f"virtual/mailbox/{gone}" not in names_in(folder)
    assert (folder / "virtual/mailbox/notes").read_text() == "mine"


def test_an_unrelated_folder_is_not_written_to(folder):
    folder.mkdir()
    (folder / "main.cf").write_text("mine")
    with pytest.raises(CommandError, match="was not created by an export"):
        export(folder)
    assert names_in(folder) == {"main.cf"}
    assert (folder / "main.cf").read_text() == "mine"


@pytest.mark.parametrize("name", ["virtual", "virtual/mailbox", "transport"])
def test_no_link_is_followed_out_of_the_folder(folder, tmp_path, name):
    build_database(1, mirrors=False)
    export(folder)
    outside = tmp_path / "outside"
    shutil.move(folder / name, outside)
    before = outside.read_text() if outside.is_file() else names_in(outside)
    (folder / name).symlink_to(outside)
    Domain.objects.create(domain="new.example")
    with pytest.raises(CommandError):
        export(folder)
    assert before == (outside.read_text() if outside.is_file() else names_in(outside))


def test_names_in_the_marker_file_cannot_escape_the_folder(folder, tmp_path):
    export(folder)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with (folder / INDEX_FILENAME).open("a") as mark:
        mark.write(f"../victim\n{victim}\n")
    export(folder)
    assert victim.read_text() == "mine"


def test_a_failed_export_keeps_the_previous_one(folder, monkeypatch):
    build_database(1, mirrors=False)
    export(folder)
    before = {name: (folder / name).read_text() for name in names_in(folder)}
    Domain.objects.create(domain="new.example")
    monkeypatch.setattr(hashfiles, "render_main_cf", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(folder)
    assert {name: (folder / name).read_text() for name in names_in(folder)} == before


# Odd rows


def test_rows_that_map_files_cannot_express_are_reported(folder, capsys):
    domain = Domain.objects.create(domain="example.org")
    for local_part in ("#bob", "a b", '"q"', "fine"):
        Alias.objects.create(
            address=f"{local_part}@example.org", goto="x@far.test\n, y@far.test", domain=domain
        )
    compiled(export(folder))
    errors = capsys.readouterr().err
    assert "#bob@example.org" in errors
    assert "fine" not in errors
    said = look_up_with_postmap(folder, f"hash:{folder}/virtual/alias", ["fine@example.org"])
    assert split_goto(said["fine@example.org"]) == ["x@far.test", "y@far.test"]


def test_one_domain_alone(folder):
    names = build_database(2, mirrors=True)
    Domain.objects.update(active=True, backupmx=False)
    AliasDomain.objects.update(active=True)
    mirror = AliasDomain.objects.order_by("pk").first().pk
    export(folder, "--domain", mirror)
    text = "".join(
        (folder / name).read_text() for name in names_in(folder) if name != INDEX_FILENAME
    )
    keys = {line.split("\t")[0] for line in text.splitlines() if "\t" in line and line[0] != "#"}
    assert f"list@{mirror}" in keys
    assert {key.rpartition("@")[2].lstrip(".") for key in keys} == {mirror}
    assert not any(name in keys for name in names)


# Dovecot


# version → fields of Dovecot for a quota of 5000 bytes, and for an mbox
USER_FIELDS = {
    "2.3": {
        "quota_rule": "*:bytes=5000",
        "mail": "mbox:/var/vmail/old/50%d.home/mail:INBOX=/var/vmail/old/50%d",
    },
    "2.4": {
        "quota_storage_size": "5000B",
        "quota_storage_grace": "500B",
        "mail_driver": "mbox",
        "mail_path": "/var/vmail/old/50%d.home/mail",
        "mail_inbox_path": "/var/vmail/old/50%d",
    },
}


def test_all_users_log_in_by_the_passwd_file_with_their_passwords(folder):
    domain = Domain.objects.create(domain="example.org", password_expiry=30)
    stored = {
        "plain": "{PLAIN}a:b c",
        "crypt": passwords.make_hash("correct-horse-42"),
        "off": passwords.make_hash("correct-horse-42"),
        "file": "{PLAIN}file",
    }
    paths = {"crypt": "old mail/100%/", "file": "old/50%d"}
    for name, hashed in stored.items():
        Mailbox.objects.create(
            username=f"{name}@example.org",
            local_part=name,
            domain=domain,
            password=hashed,
            maildir=paths.get(name, f"example.org/{name}/"),
            quota=5000,
            active=name != "off",
            password_expiry=timezone.now() + datetime.timedelta(days=1),
        )
    export(folder)
    with Dovecot(folder / "dovecot") as dovecot:
        assert dovecot.accepts("plain@example.org", "a:b c")
        assert not dovecot.accepts("plain@example.org", "a")
        assert dovecot.accepts("crypt@example.org", "correct-horse-42")
        assert not dovecot.accepts("off@example.org", "correct-horse-42")
        said, paths = (
            dovecot.get_fields("crypt@example.org"),
            dovecot.get_fields("file@example.org"),
        )
        assert "/var/vmail/old mail/100%/" in said
        for name, text in USER_FIELDS[detect_options()["dovecot_version"]].items():
            assert f"{name}\t{text}\n" in said + paths


def test_an_expired_password_is_refused(folder):
    domain = Domain.objects.create(domain="example.org", password_expiry=30)
    Mailbox.objects.create(
        username="bob@example.org",
        local_part="bob",
        domain=domain,
        password="{PLAIN}secret-of-bob",
        maildir="example.org/bob/",
        password_expiry=timezone.now() - datetime.timedelta(days=1),
    )
    assert "secret-of-bob" not in (export(folder) / "dovecot/users").read_text()


def test_a_user_without_smtp_access_is_refused_by_postfix(folder):
    domain = Domain.objects.create(domain="example.org")
    for name, may in (("bob", True), ("carol", False)):
        Mailbox.objects.create(
            username=f"{name}@example.org",
            local_part=name,
            domain=domain,
            smtp_active=may,
            maildir="x/",
        )
    compiled(export(folder))
    table = f"hash:{folder}/access/logins"
    keys = ["bob@example.org", "carol@example.org"]
    assert look_up_with_postmap(folder, table, keys) == {"carol@example.org": "REJECT"}


class Dovecot(servers.Server):
    """A Dovecot for logins only, with the exported lines."""

    def __init__(self, lines):
        super().__init__()
        self.folder.chmod(0o755)
        text = (lines / "dovecot.conf").read_text().replace("/etc/dovecot", str(lines))
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(
            dovecot_server.FIRST_LINES[detect_options()["dovecot_version"]]
            + f"base_dir = {self.folder}/run\nstate_dir = {self.folder}/state\nprotocols =\n"
            f"log_path = {self.folder}/said\nssl = no\nmail_uid = 1000\nmail_gid = 1000\n"
            "service auth {\n  user = root\n}\n" + text
        )
        self.start("dovecot", "-F", "-c", self.conf)
        self.wait_until(lambda: (self.folder / "run/auth-userdb").exists())

    def tool(self, *arguments):
        return subprocess.run(
            [servers.command("doveadm"), "-c", self.conf, *arguments],
            capture_output=True,
            text=True,
        )

    def accepts(self, user, password):
        return self.tool("auth", "test", user, password).returncode == 0

    def get_fields(self, user):
        return self.tool("user", user).stdout
