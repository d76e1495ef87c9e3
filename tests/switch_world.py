"""A mail system of 50 domains, made by PostfixAdmin's own command and pages."""

import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tests.programs import command

DOMAINS = 50
SECRET = "violet-Kettle-4417"
PASSWORDS = f"--password {SECRET} --password2 {SECRET}"
MAILBOX = f"{PASSWORDS} --welcome-mail n"
DESCRIPTIONS = ("Bäckerei Müller", "Пекарня", "面包店", "it's 100 % “quoted”, <b>bold</b>", "")
LOCAL_PARTS = ("anna.maria", "o'neil", "x_y-1", "info", "a", "sales=shop")
TRANSPORTS = ("virtual", "virtual", "lmtp:unix:private/dovecot-lmtp", "relay")
OPTIONS = """
$CONF['admin_email'] = 'postmaster@d00.example';
$CONF['quota'] = 'YES';
$CONF['transport'] = 'YES';
$CONF['transport_options'] = array('virtual', 'relay', 'lmtp:unix:private/dovecot-lmtp');
$CONF['fetchmail'] = 'YES';
$CONF['vacation_control_admin'] = 'YES';
$CONF['domain_path'] = 'YES';
$CONF['domain_in_mailbox'] = 'NO';
$CONF['aliases'] = '25';
$CONF['mailboxes'] = '12';
$CONF['password_expiration'] = 'YES';
"""
# Rows of other programs: Dovecot's usage, notified senders, an old hash.
MORE_ROWS = """
INSERT INTO quota2 (username, bytes, messages)
    SELECT username, 1000 * LENGTH(username), 7 FROM mailbox;
INSERT INTO vacation_notification (on_vacation, notified) SELECT email, 'x@far.test' FROM vacation;
UPDATE mailbox SET password = '$1$tjxpE2KL$jFOSWyQ1GZmOvvITCVJ5o1' WHERE username LIKE 'a@d03%';
INSERT INTO domain_admins (username, domain, created, active)
    VALUES ('adam0@d00.example', 'gone.example', '2000-01-01 00:00:00', 1);
"""


def name_domain(number):
    return f"d{number:02}.example"


def build_domain_calls(number):
    """Return the calls that make a domain and its rows; no two domains are alike."""
    domain, limit = name_domain(number), (0, 12, 30)[number % 3]
    description = shlex.quote(DESCRIPTIONS[number % len(DESCRIPTIONS)])
    yield (
        f"domain add {domain} --description {description} --aliases {limit} --mailboxes {limit}"
        f" --maxquota {(0, 500, 2048)[number % 3]} --quota {(0, 0, 20480)[number % 3]}"
        f" --transport {TRANSPORTS[number % 4]} --backupmx {'y' if number % 11 == 5 else 'n'}"
        f" --default-aliases {'y' if number % 2 else 'n'} --password-expiry {number % 4 * 90}"
        f" --active {'n' if number % 13 == 7 else 'y'}"
    )
    for place in range(1 + number % 3):
        name = LOCAL_PARTS[(number + place) % len(LOCAL_PARTS)]
        yield (
            f"mailbox add {shlex.quote(name)}@{domain} {MAILBOX} --quota {50 + place}"
            f' --name "Name Ä {number}" --active {"n" if place == 2 else "y"}'
        )
    yield f"mailbox add bob@{domain} {MAILBOX} --quota 100 --name Bob"
    yield f"alias add team@{domain} --goto bob@{domain},x{number}@far.test"
    if number % 3 == 0:
        yield f"alias add *@{domain} --goto bob@{domain}"
    if number % 4 == 0:
        yield f"alias update bob@{domain} --goto away{number}@far.test --goto-mailbox n"
    if number % 5 == 0:
        yield f"alias add old@{domain} --goto bob@{domain} --active n"


def build_last_calls():
    """Return the calls for rows that need several domains."""
    for number in (1, 2, 3):
        alias, target = f"alias{number}.example", name_domain(number)
        yield f"domain add {alias} --default-aliases n --password-expiry 0"
        yield f"aliasdomain add {alias} --target-domain {target} --active {'ny'[number % 2]}"
    for number in range(8):
        own = ",".join(name_domain(each) for each in range(number, DOMAINS, 8))
        yield f"admin add adam{number}@d00.example {PASSWORDS} --domains {own}"
    yield f"admin add root@d00.example {PASSWORDS} --superadmin y"
    yield "admin update adam7@d00.example --active n"


def fill(postfixadmin, database):
    """Make everything, in a database that has no table yet."""
    assert "updating to version 1847" in postfixadmin.upgrade()
    numbers = range(DOMAINS)
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda n: call_all(postfixadmin, build_domain_calls(n)), numbers)
        assert len(list(made)) == DOMAINS
    call_all(postfixadmin, build_last_calls())
    for number in (4, 8, 12):
        postfixadmin.sign_in("root@d00.example", SECRET)
        key = f"bob@{name_domain(number)}"
        values = {"fSubject": f"Away {number} – ü", "fBody": "Back\r\non <%Until_Date>"}
        postfixadmin.submit(f"vacation.php?username={key}", **values, fChange="Change")
        postfixadmin.submit("edit.php?table=fetchmail", **build_fetchmail_values(key))
    database.execute(MORE_ROWS)


def build_fetchmail_values(key):
    values = {"mailbox": key, "src_server": "imap.far.test", "src_user": "u", "protocol": "IMAP"}
    return {f"value[{name}]": value for name, value in {**values, "src_password": "s3cr"}.items()}


def call_all(postfixadmin, lines):
    for line in lines:
        done = call(postfixadmin, line)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


def call(postfixadmin, line):
    """Run PostfixAdmin's own command."""
    words = [command("php"), "scripts/postfixadmin-cli.php", *shlex.split(line)]
    return subprocess.run(words, cwd=postfixadmin.place, capture_output=True, text=True)
