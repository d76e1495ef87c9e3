"""Faults of Dovecot, and the finding of each."""

from dataclasses import replace

from mailadmin.conf.client_servers import ServicePort
from tests.mailboxes.sample_configurations import (
    NEW,
    ROWS,
    SQL,
    VIRTUAL,
    Broken,
    add,
    change,
    hashes,
)

DOVECOT_FAULTS = [
    Broken(
        "percent-behind-letter",
        (change("dovecot/conf.d/10-mail.conf", "~/Maildir", "~/d%/Maildir"),),
        "dovecot/conf.d/10-mail.conf",
        "mail_location = maildir:~/d%/Maildir",
        "d%",
    ),
    Broken(
        "two-mail-stores",
        VIRTUAL[:2],
        SQL,
        "user_query = SELECT CONCAT('/var/vmail/', maildir) AS",
        "/var/vmail/{maildir}/Maildir ≠ /var/vmail/%d/%n",
    ),
    Broken(
        "two-maildir-layouts",
        (
            *VIRTUAL,
            change(
                "postfix/main.cf",
                "$sql/mailboxes.cf",
                "$sql/mailboxes.cf,\n inline:{ {ben@example.org=example.org/ben@example.org/} }",
            ),
        ),
        "postfix/main.cf",
        "inline:{ {ben@example.org=example.org/ben@example.org/} }",
        "/var/vmail/%d/%u",
    ),
    Broken(
        "maildir-column-ignored",
        (change(SQL, "CONCAT('/var/vmail/', maildir) AS home", "'/var/vmail/%d/%u' AS home"),),
        SQL,
        "user_query = SELECT '/var/vmail/%d/%u' AS home, 5000 AS",
        "%d/%n",
    ),
    Broken(
        "uid-below-first-valid",
        (change(SQL, "5000 AS uid", "200 AS uid"),),
        SQL,
        "user_query = SELECT CONCAT('/var/vmail/', maildir) AS",
        "200",
    ),
    Broken(
        "submission-without-login",
        (change("postfix/master.cf", "mode=yes -o smtpd_sasl_auth_enable=yes", "mode=yes"),),
        "postfix/master.cf",
        "submissions inet n       -       y       -       -     ",
        "submissions",
    ),
    Broken(
        "sender-not-checked",
        (
            change(
                "postfix/master.cf", "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
            ),
        ),
        "postfix/master.cf",
        "submissions inet n       -       y       -       -     ",
        "submissions",
    ),
    Broken(
        "sender-login-maps-not-set",
        (change("postfix/main.cf", "smtpd_sender_login_maps = $sql/senders.cf\n"),),
        "postfix/master.cf",
        "submission inet  n       -       y       -       -     ",
        "submission",
    ),
    Broken(
        "scheme-does-not-fit",
        (),
        SQL,
        "default_pass_scheme = CRYPT",
        "ARGON2ID ≠ CRYPT",
        hashes(("ARGON2ID", False)),
    ),
    Broken(
        "unknown-scheme", (), SQL, "default_pass_scheme = CRYPT", "NTLM", hashes(("NTLM", True))
    ),
    Broken(
        "cram-md5-not-offered",
        (),
        SQL,
        "default_pass_scheme = CRYPT",
        "CRAM-MD5",
        hashes(("CRAM-MD5", True)),
    ),
    Broken(
        "cram-md5-without-passwords",
        (change("dovecot/conf.d/10-auth.conf", "plain login", "plain login cram-md5"),),
        "dovecot/conf.d/10-auth.conf",
        "auth_mechanisms = plain login cram-md5  # no others",
    ),
    Broken(
        "des-crypt",
        (),
        SQL,
        "default_pass_scheme = CRYPT",
        "DES-CRYPT",
        hashes(("DES-CRYPT", False)),
    ),
    Broken(
        "alias-domain-cannot-sign-in",
        (),
        SQL,
        "password_query = SELECT username AS user, password FROM",
        "",
        replace(ROWS, alias_domains=frozenset({"branch.example"})),
    ),
    Broken(
        "app-passwords-not-queried",
        (),
        SQL,
        "password_query = SELECT username AS user, password FROM",
        "",
        replace(ROWS, has_generated_app_passwords=True),
    ),
    Broken(
        "too-few-app-password-queries",
        (),
        SQL,
        "password_query = SELECT username AS user, password FROM",
        "2 > 0",
        replace(ROWS, most_salted_app_passwords=2),
    ),
    Broken(
        "auth-cache-keeps-passwords",
        (add("dovecot/conf.d/10-mail.conf", "auth_cache_size = 10M\n"),),
        "dovecot/conf.d/10-mail.conf",
        "auth_cache_size = 10M",
        "10M",
        replace(ROWS, most_salted_app_passwords=2),
        also=("too-few-app-password-queries",),
    ),
    Broken(
        "sieve-script-is-a-folder",
        (
            change("dovecot/conf.d/10-mail.conf", "maildir:~/Maildir", "maildir:~/"),
            add(
                "dovecot/conf.d/10-mail.conf",
                "plugin {\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n}\n",
            ),
        ),
        "dovecot/conf.d/10-mail.conf",
        "sieve = file:~/sieve;active=~/.dovecot.sieve",
        "~/.dovecot.sieve",
    ),
    Broken(
        "sieve-script-is-a-folder",
        (
            change(NEW, "mail_path = ~/Maildir", "mail_path = ~/"),
            add(NEW, "protocol lmtp {\n  mail_plugins {\n    sieve = yes\n  }\n}\n"),
            add(NEW, "sieve_script personal {\n  active_path = ~/.active\n}\n"),
        ),
        NEW,
        "active_path = ~/.active",
        "~/.active",
        dovecot="modern",
    ),
    Broken(
        "client-port-not-offered",
        (),
        "dovecot/dovecot.conf",
        "protocols = imap lmtp",
        "pop3 995/tls",
        client_ports={"imap": (ServicePort(993, "tls"),), "pop3": (ServicePort(995, "tls"),)},
    ),
]
