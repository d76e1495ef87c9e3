"""Configurations with one fault each, and what reports it."""

from typing import NamedTuple

from tests.mailboxes.verify.breaking import (
    another_database,
    bare_domain,
    by_version,
    dovecot,
    edited,
    in_front,
    main_cf,
    of_root_alone,
    own_map,
    queries_edited,
    query,
    unknown_service,
    unlisted,
    wrong_account,
)


class Break(NamedTuple):
    name: str
    edits: tuple
    said: tuple = ()  # (key, lookup) of a difference of verify
    failed: str = ""  # a server that verify names as one that could not be asked
    code: str = ""  # code of a finding of check


NOPASSWORD = "passdb {\n  driver = static\n  args = nopassword=y\n}"
NEW_NOPASSWORD = "passdb static {\n  fields {\n    nopassword = yes\n  }\n}"
RIGHT, WRONG = "sign-in with the correct password", "sign-in with a wrong password"
SENDERS = "smtpd_sender_login_maps"
BREAKS = (
    Break(
        "aliases that are not active",
        (own_map("virtual_alias", "alias.active = 1", "alias.active < 2"),),
        (("off-too@example.org", "virtual_alias_maps"),),
    ),
    Break(
        "mailboxes of another database",
        (another_database,),
        (("bob@example.org", "virtual_mailbox_maps"),),
    ),
    Break("no transport table", (unlisted("transport_pattern"),), (("*", "transport_maps"),)),
    Break(
        "no sender map",
        (main_cf(f"{SENDERS} ="),),
        (("bob@example.org", SENDERS),),
        code="sender-login-maps-not-set",
    ),
    Break(
        "backup domains are virtual too",
        (own_map("virtual_mailbox_domains", "domain.backupmx = 0", "domain.backupmx < 2"),),
        (("backup.test", "virtual_mailbox_domains"),),
    ),
    Break(
        "Dovecot admits inactive mailboxes",
        (query("password", "mailbox.active = 1", "mailbox.active >= 0"),),
        (("off@example.org", "sign-in"),),
    ),
    Break(
        "home by user name",
        (query("user", "mailbox.maildir", "mailbox.username"),),
        (("bob@example.org", "Dovecot"),),
    ),
    Break(
        "no refusal maps",
        (unlisted("refused_recipients", "refused_recipients_mirror"),),
        (
            ("off@example.org", "smtpd_recipient_restrictions"),
            ("main.cf", "smtpd_recipient_restrictions"),
        ),
    ),
    Break(
        "no map of the mailboxes themselves",
        (unlisted("virtual_alias_mailbox"),),
        (("no-row@example.org", "virtual_alias_maps"),),
    ),
    Break("wrong password of the database", (wrong_account,), failed="Postfix"),
    Break("Dovecot's SQL is broken", (query("user", " FROM ", " FORM "),), failed="Dovecot"),
    Break(
        "no maps of alias domains",
        (unlisted("virtual_alias_mirror", "virtual_alias_mirror_mailbox"),),
        (("a_b%c@mirror.test", "virtual_alias_maps"), ("@mirror.test", "RCPT TO")),
    ),
    Break("a map that only root can read", (of_root_alone,), failed="Postfix"),
    Break(
        "every password signs in",
        (
            query(
                "password",
                "mailbox.username AS user",
                "mailbox.username AS user, 'Y' AS nopassword",
            ),
        ),
        (("@example.org", WRONG),),
    ),
    Break(
        "another hash",
        (query("password", "ELSE mailbox.password END", "ELSE '{PLAIN}other' END"),),
        (("BLF-CRYPT", RIGHT),),
    ),
    Break(
        "another store with the same tail",
        (query("user", "'/tmp/", "'/srv/other/tmp/"),),
        (("bob@example.org", "Dovecot"),),
    ),
    Break(
        "no quota",
        (
            by_version(
                query("user", "quota_rule", "other_rule"),
                query("user", "quota_storage_size", "other_size"),
            ),
        ),
        (("bob@example.org", "Dovecot: quota"),),
    ),
    Break(
        "Postfix delivers by itself",
        (main_cf("virtual_transport = virtual"),),
        (("main.cf", "virtual_transport"),),
        code="parameter-not-set",
    ),
    # More breaks
    Break(
        "virtual domains are relayed too",
        (own_map("relay_domains", "domain.backupmx = 1", "domain.backupmx < 2"),),
        (("example.org", "relay_domains"),),
    ),
    Break(
        "no recipients of backup domains",
        (main_cf("relay_recipient_maps ="),),
        (("bob@listed.test", "relay_recipient_maps"),),
    ),
    Break(
        "no mailboxes",
        (main_cf("virtual_mailbox_maps ="),),
        (("bob@example.org", "virtual_mailbox_maps"),),
        code="parameter-not-set",
    ),
    Break(
        "a map that proxymap does not approve",
        (main_cf("proxy_read_maps = $virtual_mailbox_maps"),),
        failed="Postfix",
        code="map-not-in-proxy-read-maps",
    ),
    Break(
        "a domain of the panel is local",
        (main_cf("mydestination = localhost, example.org"),),
        (("example.org", "mydestination"),),
        code="virtual-domain-in-mydestination",
    ),
    Break(
        "unknown recipients are accepted",
        (main_cf("smtpd_reject_unlisted_recipient = no"),),
        (("@away.test", "RCPT TO"),),
    ),
    Break(
        "refusals are temporary",
        (main_cf("soft_bounce = yes"),),
        (("@example.org", "RCPT TO"),),
    ),
    Break(
        "open relay",
        (
            # An open relay that Postfix does not notice; where nothing refuses, it does not start.
            in_front("smtpd_relay_restrictions", "check_client_access static:OK,"),
        ),
        (("main.cf", "smtpd_relay_restrictions"), ("master.cf: ", "smtpd_relay_restrictions")),
    ),
    Break(
        "everybody is let past the refusals",
        (in_front("smtpd_recipient_restrictions", "permit,"),),
        (("main.cf", "smtpd_recipient_restrictions"),),
    ),
    Break(
        "the whole Internet may relay",
        (main_cf("mynetworks = 0.0.0.0/0"),),
        (("main.cf", "mynetworks"),),
    ),
    Break(
        "senders are not checked",
        (
            edited(
                "etc/master.cf",
                "    -o smtpd_sender_restrictions=reject_sender_login_mismatch\n",
                "",
            ),
        ),
        (("master.cf: ", "smtpd_sender_restrictions"),),
        code="sender-not-checked",
    ),
    Break(
        "no vacation responder",
        (edited("etc/master.cf", "mailadmin-autoreply unix", "other-autoreply unix"),),
        (("autoreply.localhost", "transport_maps"),),
        code="unknown-transport-service",
    ),
    Break(
        "no transport for answers",
        (
            edited(
                "etc/main.cf", "    inline:{ { autoreply.localhost = mailadmin-autoreply: } }\n", ""
            ),
        ),
        (("autoreply.localhost", "transport_maps"),),
    ),
    Break(
        "no LMTP server",
        (main_cf("virtual_transport = lmtp:unix:private/nothing"),),
        (("bob@example.org", "LMTP"),),
    ),
    Break(
        "a delivery service that is not there",
        (main_cf("virtual_transport = dovecot"),),
        (("main.cf", "virtual_transport"),),
        code="unknown-transport-service",
    ),
    Break(
        "another delimiter",
        (main_cf("recipient_delimiter = -"),),
        (("main.cf", "recipient_delimiter"),),
    ),
    Break(
        "answers are rewritten",
        (own_map("virtual_alias", "query =", "result_format = x-%s\nquery ="),),
        (("info@example.org", "virtual_alias_maps"),),
    ),
    Break(
        "a map for some domains",
        (own_map("virtual_mailbox", "query =", "domain = example.com\nquery ="),),
        (("bob@example.org", "virtual_mailbox_maps"),),
    ),
    Break(
        "a catch-all in a map in front",
        (in_front("virtual_alias_maps", "inline:{ {@example.com=root@example.net} }"),),
        (("@example.com", "virtual_alias_maps"),),
    ),
    Break(
        "a transport for everything in front",
        (in_front("transport_maps", "inline:{ {*=smtp:[127.0.0.1]:9} }"),),
        (("*", "transport_maps"),),
        code="star-transport-takes-all",
    ),
    Break(
        "those who may not send do",
        (query("password", "mailbox.smtp_active = 1", "mailbox.smtp_active >= 0"),),
        (("quiet@example.org", "sign-in to send"),),
    ),
    Break(
        "expired passwords sign in",
        (query("password", "NOW()", "'2000-01-01'"),),
        (("expired@old.test", "sign-in"),),
    ),
    Break(
        "a second table of users",
        (by_version(dovecot(NOPASSWORD), dovecot(NEW_NOPASSWORD)),),
        (("@example.org", WRONG),),
    ),
    Break(
        "the default scheme does not fit",
        (
            by_version(
                queries_edited("pass_scheme = CRYPT", "pass_scheme = PLAIN"),
                queries_edited("password_scheme = CRYPT", "password_scheme = PLAIN"),
            ),
        ),
        (("BLF-CRYPT", RIGHT),),
        code="scheme-does-not-fit",
    ),
    Break(
        "mail beside the home",
        (
            by_version(
                query("user", "'maildir:'", "'maildir:/srv'"),
                query("user", "AS mail_path", "AS other_path, '/srv' AS mail_path"),
            ),
        ),
        (("bob@example.org", "Dovecot: mail"),),
    ),
    Break(
        "quotas in kilobytes",
        (by_version(query("user", "'*:bytes='", "'*:storage='"), query("user", "'B'", "'k'")),),
        (("bob@example.org", "Dovecot: quota"),),
    ),
    Break(
        "clients are refused",
        (main_cf("smtpd_client_restrictions = reject"),),
        (("bob@example.org", "RCPT TO"),),
    ),
    Break(
        "Postfix asks nobody for passwords",
        (main_cf("smtpd_sasl_path = private/nothing"),),
        (("master.cf: ", "AUTH"),),
    ),
    Break(
        "an unknown service",
        (unknown_service,),
        (("strange.test", "master.cf"),),
        code="unknown-transport-service",
    ),
    Break(
        "inactive mailboxes of alias domains",
        (unlisted("refused_recipients_mirror"),),
        (("-a*b?c@mirror.test", "smtpd_recipient_restrictions"),),
    ),
    Break(
        "an alias row that is a domain",
        (bare_domain,),
        code="alias-row-is-a-domain",
    ),
)
