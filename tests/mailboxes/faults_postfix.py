"""Faults of Postfix and of its maps, and the finding of each."""

from dataclasses import replace

from mailadmin.conf.client_servers import ServicePort
from tests.mailboxes.sample_configurations import ROWS, SQL, VIRTUAL, Broken, change, main_cf, write

POSTFIX_FAULTS = [
    Broken(
        "unreadable-file",
        (lambda folder: (folder / "postfix/master.cf").unlink(),),
        "postfix/master.cf",
        "",
        "No such file",
    ),
    Broken(
        "broken-line", (main_cf("this is no setting"),), "postfix/main.cf", "this is no setting"
    ),
    Broken(
        "defined-twice",
        (main_cf("recipient_delimiter = -"),),
        "postfix/main.cf",
        "recipient_delimiter = +",
        "recipient_delimiter",
    ),
    Broken(
        "endless-value",
        (main_cf("one = $two\ntwo = $one"),),
        "postfix/main.cf",
        "one = $two",
        "one",
    ),
    Broken(
        "missing-map-file",
        (main_cf("smtpd_client_restrictions = check_client_access hash:/etc/postfix/access"),),
        "postfix/main.cf",
        "smtpd_client_restrictions = check_client_access",
        "postfix/access",
    ),
    Broken(
        "readable-secret",
        (lambda folder: (folder / "postfix/sql/aliases.cf").chmod(0o644),),
        "postfix/sql/aliases.cf",
        "password = for-postfix",
    ),
    Broken(
        "legacy-sql-settings",
        (
            write(
                "postfix/sql/aliases.cf",
                "charset = latin1\ntable = alias\nselect_field = goto\nwhere_field = address\n"
                "additional_conditions = AND active = '1'\n",
            ),
        ),
        "postfix/sql/aliases.cf",
        "select_field = goto",
    ),
    Broken(
        "virtual-domain-in-mydestination",
        (change("postfix/main.cf", "= localhost", "= localhost, Example.org"),),
        "postfix/main.cf",
        "mydestination = localhost, Example.org",
        "example.org",
    ),
    Broken(
        "system-mail-into-virtual-domain",
        (main_cf("myorigin = example.org"),),
        "postfix/main.cf",
        "myorigin = example.org",
        "myorigin: example.org",
    ),
    Broken(
        "relay-and-virtual",
        (change("postfix/sql/domains.cf", " AND backupmx = '0'"),),
        "postfix/sql/domains.cf",
        "query = SELECT domain FROM domain WHERE domain = '%s'",
    ),
    Broken(
        "virtual-alias-domains-default",
        (change("postfix/main.cf", "virtual_alias_domains =\n"),),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
    ),
    Broken(
        "alias-row-is-a-domain",
        (change("postfix/main.cf", "virtual_alias_domains =\n"),),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
        "example.org",
        replace(ROWS, domain_only_aliases=("example.org",)),
        frozenset({"virtual-alias-domains-default"}),
    ),
    Broken(
        "relay-of-subdomains",
        (change("postfix/main.cf", "parent_domain_matches_subdomains =\n"),),
        "postfix/main.cf",
        "relay_domains = $sql/relays.cf",
    ),
    Broken(
        "parameter-not-set",
        (change("postfix/main.cf", "virtual_mailbox_maps = $sql/mailboxes.cf\n"),),
        "postfix/main.cf",
        "",
        "virtual_mailbox_maps",
    ),
    Broken(
        "star-transport-takes-all",
        (
            change(
                "postfix/main.cf", "$sql/transports.cf", "inline:{ {*=smtp:[mx.hosting.example]} }"
            ),
        ),
        "postfix/main.cf",
        "transport_maps = inline:{ {*=smtp:[mx.hosting.example]} }",
        "example.org",
    ),
    Broken(
        "unsupported-parameter",
        (main_cf("virtual_create_maildirsize = yes"),),
        "postfix/main.cf",
        "virtual_create_maildirsize = yes",
        "virtual_create_maildirsize",
    ),
    Broken(
        "map-not-in-proxy-read-maps",
        (
            main_cf(
                "proxy_read_maps = $virtual_alias_maps $virtual_mailbox_maps $relay_domains"
                " $virtual_mailbox_domains $transport_maps"
            ),
        ),
        "postfix/main.cf",
        "smtpd_sender_login_maps = $sql/senders.cf",
        "smtpd_sender_login_maps: proxy:mysql:",
    ),
    Broken(
        "wrong-column-selected",
        (change("postfix/sql/transports.cf", "SELECT transport", "SELECT domain"),),
        "postfix/sql/transports.cf",
        "query = SELECT domain FROM domain WHERE domain = '%s'",
        "domain",
    ),
    Broken(
        "inactive-rows-answer",
        (change("postfix/sql/alias-domains.cf", " AND alias_domain.active = '1'"),),
        "postfix/sql/alias-domains.cf",
        "query = SELECT goto FROM alias, alias_domain WHERE",
        "alias_domain",
    ),
    Broken(
        "no-alias-domain-map",
        (
            change("postfix/main.cf", "    $sql/alias-domains.cf,\n"),
            change("postfix/main.cf", "    $sql/catch-alls.cf\n"),
        ),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
        "branch.example",
        replace(ROWS, alias_domains=frozenset({"branch.example"})),
        frozenset({"alias-domain-cannot-sign-in"}),
    ),
    Broken(
        "no-alias-domain-catch-all",
        (change("postfix/main.cf", "    $sql/catch-alls.cf\n"),),
        "postfix/sql/alias-domains.cf",
        "query = SELECT goto FROM alias, alias_domain WHERE",
    ),
    Broken(
        "catch-all-before-extension",
        (
            change(
                "postfix/sql/catch-alls.cf",
                "    AND '%s' = CONCAT('@', alias_domain.alias_domain)\n",
            ),
        ),
        "postfix/sql/catch-alls.cf",
        "query = SELECT goto FROM alias, alias_domain WHERE",
    ),
    Broken(
        "catch-all-swallows-mailboxes",
        (),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
        "bob@example.org",
        replace(ROWS, mailboxes_behind_catch_all=("bob@example.org",)),
    ),
    Broken(
        "sender-login-maps-not-united",
        (change("postfix/main.cf", "$sql/senders.cf", "$sql/senders.cf, $sql/aliases.cf"),),
        "postfix/main.cf",
        "smtpd_sender_login_maps = $sql/senders.cf, $sql/aliases.cf",
        "aliases.cf",
    ),
    Broken(
        "sender-permissions-not-read",
        (),
        "postfix/main.cf",
        "smtpd_sender_login_maps = $sql/senders.cf",
        "senders.cf",
        replace(ROWS, has_sender_permissions=True),
    ),
    Broken(
        "charset-mismatch",
        (change("postfix/sql/aliases.cf", "charset = latin1\n"),),
        "postfix/sql/aliases.cf",
        "query = SELECT goto FROM alias WHERE address = '%s' AND",
        "alias",
        replace(ROWS, non_unicode_tables=frozenset({"alias"})),
    ),
    Broken(
        "reserved-word",
        (change("postfix/sql/domains.cf", "SELECT domain", "SELECT domain AS virtual"),),
        "postfix/sql/domains.cf",
        "query = SELECT domain AS virtual FROM domain WHERE",
        "virtual",
    ),
    Broken(
        "unknown-sql-function",
        (change(SQL, "user, password", "user, ENCRYPT('%w', password) AS password"),),
        SQL,
        "password_query = SELECT username AS user, ENCRYPT('%w',",
        "ENCRYPT",
    ),
    Broken(
        "uid-below-minimum",
        (*VIRTUAL, main_cf("virtual_minimum_uid = 5001")),
        "postfix/main.cf",
        "virtual_minimum_uid = 5001",
        "5000",
    ),
    Broken(
        "pipe-needs-one-recipient",
        (change("postfix/main.cf", "lmtp:unix:private/dovecot-lmtp", "maildrop:"),),
        "postfix/master.cf",
        "maildrop   unix  -       n       n       -       -     ",
        "maildrop_destination_recipient_limit",
    ),
    Broken(
        "unknown-transport-service",
        (),
        "postfix/main.cf",
        "transport_maps = $sql/transports.cf",
        "nosuch",
        replace(ROWS, transports=frozenset({"virtual", "nosuch:[a.test]", "smtp:", ":"})),
    ),
    Broken(
        "submission-port-not-offered",
        (),
        "postfix/master.cf",
        "",
        "465/starttls",
        client_ports={"smtp": (ServicePort(587, "starttls"), ServicePort(465, "starttls"))},
    ),
]
