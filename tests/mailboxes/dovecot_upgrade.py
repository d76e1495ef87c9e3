"""Dovecot 2.3 files to convert by `mailserver upgrade`, and its result."""

import shutil
import subprocess
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from tests.programs import command

HERE = Path(__file__).parent
FOLDERS = {
    f"{path.parent.parent.parent.name}/{path.parent.name}": path
    for path in sorted(
        [*HERE.glob("configurations/*/dovecot"), *HERE.glob("transfer/configurations/*/dovecot")]
    )
    if "dovecot_config_version" not in (path / "dovecot.conf").read_text()
}


def texts_of(folder):
    return sorted(path for path in folder.rglob("*.conf*") if path.is_file())


def upgrade(folder, *options):
    """Return the output of the command."""
    out = StringIO()
    call_command(
        "mailserver", "upgrade", f"--dovecot={folder}", *options, stdout=out, stderr=StringIO()
    )
    return out.getvalue()


def configuration(folder, text, **files):
    for name, content in {"dovecot.conf": text, **files}.items():
        (folder / name).write_text(content)
    return folder


def doveconf(folder):
    words = [command("doveconf"), "-c", str(folder / "dovecot.conf"), "-n"]
    return subprocess.run(words, capture_output=True, text=True)


def assert_accepted(folder):
    output = doveconf(folder)
    assert (output.returncode, output.stderr) == (0, "")


def lines_of(text):
    """Return the configuration without comments, each line with single spaces."""
    bare = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in bare if line and not line.startswith("#")]


SQL_ON = """\
driver = mysql
connect = host=localhost dbname=mail user=mail password=for-dovecot
default_pass_scheme = SHA256
password_query = SELECT userid AS user, password FROM users WHERE userid = '%n' AND domain = '%d'
user_query = SELECT home, uid, gid FROM users WHERE userid = '%u'
iterate_query = SELECT userid AS username, domain FROM users
"""


AUTH_SQL = """\
passdb {
  driver = sql
  args = %(folder)s/dovecot-sql.conf.ext
}
userdb {
  driver = sql
  args = %(folder)s/dovecot-sql.conf.ext
}
"""


def debian_12(folder):
    """The stock files of Debian 12, with passwords in SQL."""
    folder = folder / "dovecot"
    shutil.copytree(HERE / "configurations/debian12/dovecot", folder)
    auth = folder / "conf.d/10-auth.conf"
    auth.write_text(auth.read_text().replace("auth-system", "auth-sql"))
    (folder / "conf.d/auth-sql.conf.ext").write_text(AUTH_SQL % {"folder": folder})
    (folder / "dovecot-sql.conf.ext").write_text(SQL_ON)
    path = folder / "dovecot.conf"
    path.write_text(
        path.read_text().replace("/nowhere/protocols.d", "/usr/share/dovecot/protocols.d")
    )
    return folder


def result(folder, text):
    """Return the lines after the fixed ones; `!name` for a setting left to the operator."""
    output = upgrade(configuration(folder, f"protocols = imap\n{text}\n"))
    kept = (
        line if not line.strip().startswith("# NOT CONVERTED") else f"!{line.split()[4]}"
        for line in output.splitlines()
    )
    return "; ".join(lines_of("\n".join(kept))[4:])
