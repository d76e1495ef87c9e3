"""What Nextcloud's apps ask the views, by the documented configuration, in PHP as they do it."""

import json
import re
import subprocess

import pytest
from django.db import connection

from mailadmin import passwords
from mailadmin.conf import BASE_DIR
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import create_mailboxes_of, perform_service
from tests.mailboxes.transfer.legacy_views.queries import grants, run
from tests.servers import command

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.release,
    pytest.mark.django_db(transaction=True),
]
BOB, CAROL = "bob@example.org", "carol@example.com"
PLACE = "mysql:host=127.0.0.1;port=3306;dbname=postfix;charset=utf8mb4"
# As the app does: prepared statements, the first column, and `%` around what is searched
ASK = """<?php
$settings = array(%(settings)s)['user_backend_sql_raw'];
$given = json_decode(stream_get_contents(STDIN), true);
$db = new PDO($settings['dsn'], $settings['db_user'], $settings['db_password']);
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
function ask($name, $values) {
    global $db, $settings;
    $statement = $db->prepare($settings['queries'][$name]);
    $statement->execute($values);
    return $statement->fetchAll(PDO::FETCH_COLUMN);
}
$user = ['username' => $given['user']];
$hash = ask('get_password_hash_for_user', $user)[0] ?? null;
echo json_encode([
    'exists' => (bool) ask('user_exists', $user)[0],
    'signs_in' => is_string($hash) && password_verify($given['password'], $hash),
    'name' => ask('get_display_name', $user)[0] ?? null,
    'found' => ask('get_users', ['search' => '%%' . $given['search'] . '%%']),
    'count' => ask('count_users', [])[0],
]);
"""


@pytest.fixture
def ask(mariadb, tmp_path):
    """Create views and an account with the printed grants; return what asks the queries."""
    create_mailboxes_of(BOB, CAROL)
    Mailbox.objects.filter(pk=BOB).update(name="Bob B\xf6hm")
    mariadb.execute("CREATE OR REPLACE USER 'nextcloud'@'%' IDENTIFIED BY 'password'")
    mariadb.execute("\n".join(grants(run("nextcloud", "--nextcloud-account", "nextcloud@%"))))
    page = (BASE_DIR / "docs/webmail.md").read_text()
    settings = re.search(r"```php\n('user_backend_sql_raw' => .*?)```", page, re.S)[1]
    assert PLACE in settings
    name = connection.settings_dict["NAME"]
    place = PLACE.replace("3306", str(mariadb.port)).replace("postfix", name)
    script = tmp_path / "ask.php"
    script.write_text(ASK % {"settings": settings.replace(PLACE, place)})

    def ask_php(user, password, search=""):
        done = subprocess.run(
            [command("php"), script],
            input=json.dumps({"user": user, "password": password, "search": search}),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    yield ask_php
    run("nextcloud", "--drop")
    mariadb.execute("DROP USER 'nextcloud'@'%'")


def test_a_mailbox_owner_is_found_and_signs_in(ask):
    assert ask(BOB, PASSWORD, "B\xf6h") == {
        "exists": True,
        "signs_in": True,
        "name": "Bob B\xf6hm",
        "found": [BOB],
        "count": 2,
    }
    assert not ask(BOB, "wrong")["signs_in"]
    nobody = ask("nobody@example.org", PASSWORD)
    assert (nobody["exists"], nobody["signs_in"], sorted(nobody["found"])) == (
        *(False, False),
        [BOB, CAROL],
    )


def test_an_inactive_mailbox_is_not_there(ask):
    perform_service(set_mailboxes, [BOB], "active", False)
    said = ask(BOB, PASSWORD)
    assert (said["exists"], said["signs_in"], said["found"]) == (False, False, [CAROL])


VERIFIED = ("BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "DES-CRYPT", "ARGON2ID")


@pytest.mark.parametrize("scheme", [*VERIFIED, "ARGON2I", "SSHA512", "PLAIN", "CRAM-MD5"])
def test_schemes_that_php_verifies(ask, scheme):
    stored = passwords.make_hash(PASSWORD, BOB, scheme)
    Mailbox.objects.filter(pk=BOB).update(password=stored)
    is_verified = scheme in (*VERIFIED, "ARGON2I")
    assert ask(BOB, PASSWORD)["signs_in"] is is_verified
    for typed in ("wrong", "", "*", stored):
        assert not ask(BOB, typed)["signs_in"], typed
