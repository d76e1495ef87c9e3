"""The tracer compared with a real Postfix."""

import hypothesis
import pytest
from django.db import connection
from hypothesis import strategies as st

from domains.models import Domain, Transport
from mailboxes.mailserver.routing_config import load_routing_config
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix import routing
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import render_for_postfix
from tests import mailservers, postfix_server
from tests.mailboxes.routed_mail import (
    answers,
    bare,
    explanation,
    foretold,
    refused_by_the_panel,
    reload,
    replace_transports,
    send,
    store,
    traced,
)
from tests.mailboxes.routing_worlds import lists_of_targets, number, probes, worlds

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


MASTER = postfix_server.MASTER.replace(
    "- - discard\n", "- - discard -o syslog_name=to/discard\n"
).replace("- smtp\n", "- discard -o syslog_name=to/smtp\n").replace(
    "relay unix - - n - - discard -o syslog_name=to/smtp",
    "relay unix - - n - - discard -o syslog_name=to/relay",
) + (
    "mailadmin-autoreply unix - - n - - discard -o syslog_name=to/mailadmin-autoreply\n"
    "elsewhere unix - - n - - discard -o syslog_name=to/elsewhere\n"
)


@pytest.fixture(scope="module")
def server(django_db_setup):
    """Postfix on the tests' database, with every query of the panel."""
    with postfix_server.Postfix(master=MASTER) as postfix:
        yield postfix


@pytest.fixture
def postfix(server, transactional_db):
    if not server.process:
        parameters = {}
        kind = {"mysql": "mysql", "sqlite": "sqlite"}[connection.vendor]
        for query in build_postfix_maps():
            file = server.write(
                f"{query.name}.cf",
                postfix_server.map_file(
                    postfix_server.sql_settings(connection), render_for_postfix(query.sql())
                ),
            )
            parameters.setdefault(query.parameter, []).append(f"proxy:{kind}:{file}")
        parameters.pop("")
        parameters["transport_maps"].insert(
            0, "inline:{ { autoreply.localhost = mailadmin-autoreply: } }"
        )
        parameters["smtpd_recipient_restrictions"] = [
            f"check_recipient_access {name}" for name in parameters["smtpd_recipient_restrictions"]
        ]
        extra = {name: ", ".join(tables) for name, tables in parameters.items()} | {
            "virtual_alias_domains": "",
            "recipient_delimiter": "+",
            "parent_domain_matches_subdomains": "smtpd_access_maps",
            "local_transport": "elsewhere:local",
            "local_recipient_maps": "",
            "service_throttle_time": "1",  # for processes that are starting during a reload
            "proxy_read_maps": " ".join(f"${name}" for name in parameters)
            + " "
            + " ".join(t.rpartition(" ")[2] for t in parameters["smtpd_recipient_restrictions"]),
        }
        with (server.config / "main.cf").open("a") as file:
            file.write(postfix_server.main_cf(extra))
        server.run()
    return server


@pytest.mark.parametrize(
    "rows",
    [
        {"a": ["b"], "b": ["a"]},
        {"a": ["b", "x"], "b": ["a", "y"]},
        {"a": ["x", "b"], "b": ["y", "a"]},
        {"a": ["a+more"]},
        {"a": [f"a+{'more' * 10}"]},
    ],
)
def test_an_endless_route_is_refused_with_postfixs_reply(postfix, rows):
    name = f"loop{next(number)}.test"
    Domain.objects.create(domain=name)
    for address, targets in rows.items():
        goto = ",".join(f"{target}@{name}" for target in targets)
        Alias.objects.create(address=f"{address}@{name}", goto=goto, domain_id=name)
    address = f"a@{name}"
    assert send(postfix, [address]) == routing.ALIAS_EXPANSION_ERROR_REPLY
    assert traced([address])[address].reply == routing.ALIAS_EXPANSION_ERROR_REPLY


# Rows, and the outcome for bob@sub.#, a mailbox, and for who@sub.#, which does not exist
UNKNOWN = "550 5.1.1 User unknown in virtual mailbox table"
STORIES = [
    ({"#": "discard:"}, ("virtual", "sent"), UNKNOWN),
    ({"sub.#": "error:"}, ("error", "bounced"), "550 5.1.1 Address is undeliverable"),
    ({"sub.#": "error:4.2.1 later"}, ("error", "bounced"), "550 5.2.1 later"),
    ({"who@sub.#": "retry:"}, ("virtual", "sent"), "450 4.1.1 Address is undeliverable"),
    ({"*": "error:gone", "bob@sub.#": ":"}, ("virtual", "sent"), "550 5.1.1 gone"),
    ({".#": "elsewhere:", "*": "discard:"}, ("elsewhere", "sub.#"), UNKNOWN),
    ({"*": "discard:", "sub.#": ":"}, ("virtual", "sent"), UNKNOWN),
    ({"*": "discard:"}, ("discard", "sub.#"), UNKNOWN),
    ({"*": ":"}, ("virtual", "sent"), UNKNOWN),
    ({"*": ":[there.test]"}, ("virtual", "sent"), UNKNOWN),
    ({"sub.#": "elsewhere", "*": "discard:"}, ("elsewhere", "sub.#"), UNKNOWN),
    ({"sub.#": "elsewhere:[a.test], [b.test]:25"}, ("elsewhere", "[a.test], [b.test]:25"), UNKNOWN),
]


@pytest.mark.parametrize("rows, end, refusal", STORIES, ids=lambda value: str(value))
def test_a_transport_row_is_traced_like_postfix(postfix, rows, end, refusal):
    name = f"row{next(number)}.test"
    bob, who = f"bob@sub.{name}", f"who@sub.{name}"
    Domain.objects.create(domain=f"sub.{name}")
    Mailbox.objects.create(username=bob, domain_id=f"sub.{name}", maildir=f"{name}/")
    pairs = [(key.replace("#", name), transport) for key, transport in rows.items()]
    replace_transports([Transport(pattern=key, transport=way) for key, way in pairs], postfix)
    routes = traced([bob, who])
    ((_to, *found),) = send(postfix, [bob])[bob]
    assert foretold(routes[bob]) == {(bob, *found)}
    assert tuple(found) == tuple(word.replace("#", name) for word in end)
    said = answers(postfix, [who])[who]
    assert routes[who].reply == said
    code, status, text = refusal.split(" ", 2)
    assert said == f"{code} {status} <{who}>: Recipient address rejected: {text}"


@pytest.fixture
def with_parents(postfix):
    """A configuration in which a domain's row applies to its subdomains as well."""
    usual = "smtpd_access_maps"
    for value in (f"{usual} transport_maps", usual):
        postfix.set({"parent_domain_matches_subdomains": value})
        reload(postfix)
        if value != usual:
            yield postfix


def test_with_parent_matching_a_row_applies_to_subdomains(with_parents):
    name = f"parent{next(number)}.test"
    bob = f"bob@sub.{name}"
    Domain.objects.create(domain=f"sub.{name}")
    Mailbox.objects.create(username=bob, domain_id=f"sub.{name}", maildir=f"{name}/")
    rows = [Transport(pattern=name, transport="elsewhere:")]
    rows += [Transport(pattern=f".{name}", transport="discard:")]
    replace_transports(rows, with_parents)
    assert load_routing_config(with_parents.config).transport_matches_parents
    route = traced([bob], transport_matches_parents=True)[bob]
    assert send(with_parents, [bob])[bob] == foretold(route) == {(bob, "elsewhere", f"sub.{name}")}


CASES = 200  # default number of examples; the same in each run


def is_late(reply):
    """Return whether the refusal comes after DATA, for all recipients."""
    return reply in (routing.ALIAS_EXPANSION_ERROR_REPLY, routing.QUEUE_WRITE_ERROR_REPLY)


def many_cases(request):
    """Run the same cases each time; with `--cases` and a larger number, others."""
    cases = request.config.getoption("--cases")
    return hypothesis.settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=cases <= CASES,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],  # shrinking takes minutes with Postfix
    )


def assert_delivered_as_foretold(postfix, routes):
    """Send mail to all recipients and compare; a rejected one is sent again for each."""
    for address, route in routes.items():
        if is_late(route.reply):
            assert send(postfix, [address]) == route.reply
    ways = [address for address, route in routes.items() if route.is_accepted]
    if ways:
        seen = send(postfix, ways)
        assert {a: seen.get(bare(a), set()) for a in ways} == {a: foretold(routes[a]) for a in ways}


def test_lists_of_targets_are_parsed_like_postfix(postfix, request):
    replace_transports([], postfix)

    @many_cases(request)
    @hypothesis.given(st.lists(lists_of_targets(), min_size=12, max_size=12))
    def compare(gotos):
        name = f"list{next(number)}.test"
        gotos = {f"n{n}@{name}": goto.replace("#", name) for n, goto in enumerate(gotos)}
        hypothesis.note("\n".join(f"{key} → {goto!r}" for key, goto in gotos.items()))
        Domain.objects.create(domain=name)
        Mailbox.objects.create(username=f"bob@{name}", domain_id=name, maildir=f"{name}/")
        Alias.objects.bulk_create(
            Alias(address=key, goto=goto, domain_id=name) for key, goto in gotos.items()
        )
        addresses = [*gotos, *(key.replace("@", "+ext@") for key in gotos)]
        assert_delivered_as_foretold(postfix, traced(addresses))

    compare()


def test_the_tracer_agrees_with_postfix(postfix, request):
    @many_cases(request)
    @hypothesis.given(worlds())
    def compare(world):
        hypothesis.note(explanation(world))
        store(world, postfix)
        addresses = probes(world)
        routes = traced(addresses)
        expected = {a: route.reply for a, route in routes.items()}
        expected = {a: "" if is_late(reply) else reply for a, reply in expected.items()}
        assert answers(postfix, addresses) == expected
        for route in routes.values():
            if route.loop:
                assert refused_by_the_panel(world), "the panel would have let it be written"
        assert_delivered_as_foretold(postfix, routes)

    compare()
