"""The tracer compared with a real Postfix."""

import itertools
import json
import re
import smtplib
import subprocess
import time

import hypothesis
import pytest
from django.db import connection
from hypothesis import strategies as st

from domains.models import AliasDomain, Domain, Transport
from domains.patterns import WILDCARD_PATTERN, validate_pattern, validate_transport
from mailadmin.db.fields import split_goto
from mailboxes.mailserver.routing_config import load_routing_config
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix import routing
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import render_for_postfix
from mailboxes.services.loops import find_loop
from tests import mailservers, postfix_server, servers

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
LOCAL_PARTS = ["bob", "info", "bob+shop", "a%b", "nobody", "postmaster", "+lead", "a/b", "Sales"]
SPACED = ["a b", '"a b"', "-x"]
TRANSPORTS = ["virtual", "", "relay:[relay.test]:2525", "elsewhere", "elsewhere:there.test", ":"]
TRANSPORTS += ["error:5.1.2 gone", "error:moved away"]
AGENTS = ["smtp", "relay", "lmtp", "local", "virtual", "error", "retry", "discard", "elsewhere"]
AGENTS += ["mailadmin-autoreply"]
# Transports of a row, and those without a local domain.
WAYS = [":", ":[gate.test]", "relay:[relay.test]:2525", "elsewhere", "elsewhere:unix:private/x"]
WAYS += [
    "discard:",
    "discard:quietly",
    "error:",
    "error:5.1.2 gone",
    "error:4.2.1 later",
    "virtual:",
]
WAYS += ["smtp:", "smtp:[1.2.3.4]:2025", "elsewhere:[a.test],[b.test]"]
# As other programs leave them: services that do not exist.
BROKEN = ["nosuch:", "Virtual:", " smtp:[1.2.3.4]", "nosuch", "cleanup:", "Discard:"]
SHARED = [WILDCARD_PATTERN, ".test"]
number = itertools.count(1)


@st.composite
def worlds(draw):
    """A few domains with rows as users and old programs leave them, and addresses to trace."""
    names = [f"{letter}{next(number)}.test" for letter in "abc"[: draw(st.integers(1, 3))]]
    names += draw(st.sampled_from([[], [], [f"sub.{names[0]}"]]))
    yes = st.sampled_from([True, True, True, False])
    rarely = st.sampled_from([False, False, False, True])
    domains = [
        Domain(
            domain=name,
            active=draw(yes),
            backupmx=draw(rarely),
            transport=draw(st.sampled_from(TRANSPORTS * 3 + BROKEN)),
        )
        for name in names
        if draw(yes)
    ]
    some = st.lists(
        st.tuples(st.sampled_from([*LOCAL_PARTS, *SPACED]), st.sampled_from(names)),
        unique=True,
        max_size=6,
    )
    mailboxes = [
        Mailbox(
            username=f"{local_part}@{domain}",
            local_part=local_part,
            domain_id=domain,
            maildir=f"{domain}/{local_part}/",
            active=draw(yes),
        )
        for local_part, domain in draw(some)
    ]
    rows = draw(aliases(names, mailboxes)), draw(mirrors(names)), draw(transports(names))
    return names, domains, mailboxes, *rows


@st.composite
def aliases(draw, names, mailboxes):
    rows = {
        box.pk: Alias(address=box.pk, goto=box.pk, domain_id=box.domain_id) for box in mailboxes
    }
    rows = {key: row for key, row in rows.items() if draw(st.sampled_from([True, True, False]))}
    for local_part, name in draw(
        st.lists(
            st.tuples(st.sampled_from([*LOCAL_PARTS, *SPACED, ""]), st.sampled_from(names)),
            max_size=7,
        )
    ):
        address = f"{local_part}@{name}"
        goto = draw(st.lists(targets(names, address), min_size=1, max_size=3, unique=True))
        rows[address] = Alias(
            address=address,
            goto=draw(st.sampled_from([",", ",", ", ", *SEPARATORS])).join(goto),
            domain_id=name,
            active=draw(st.sampled_from([True, True, True, False])),
        )
    return list(rows.values())


@st.composite
def targets(draw, names, address):
    name = draw(st.sampled_from([*names, far(names)]))
    local_part = draw(st.sampled_from([*LOCAL_PARTS, "Bob", "info+x"]))
    own = address if not address.startswith("@") else f"bob@{name}"
    vacation = f"{own.replace('@', '#')}@autoreply.localhost"
    wild = f"@{name}" if address.startswith("@") else f"info@{name}"
    usual = [f"{local_part}@{name}"] * 12 + [own, vacation, wild, "root"] * 2
    odd = [f"<{own}>", f'"B. Ob" <{local_part}@{name}>', f"(x) {own}", f"{own}.", f'"a b"@{name}']
    odd += [local_part.upper() + f"@{name.upper()}", "@", "", f"info%{name}", f" {own}"]
    return draw(st.sampled_from(usual + odd))


def far(names):
    """An external domain, unique because Postfix caches destinations."""
    return f"far.{names[0]}"


def ways():
    return st.sampled_from(WAYS * 2 + BROKEN)


@st.composite
def transports(draw, names):
    """Transport rows of every shape, for these domains and the wildcard."""
    hosts = [*names, far(names)]
    local_parts = [*LOCAL_PARTS, *SPACED, "bob+ext"]
    keys = [f"{local_part}@{host}" for local_part in local_parts for host in hosts]
    keys += [*hosts, *(f".{name}" for name in names)] * 4 + SHARED * 2
    few = draw(st.sampled_from([0, 1, 3, 6]))
    chosen = draw(st.lists(st.sampled_from(keys), unique=True, min_size=few, max_size=few))
    active = st.sampled_from([True, True, True, False])
    return [Transport(pattern=key, transport=draw(ways()), active=draw(active)) for key in chosen]


@st.composite
def mirrors(draw, names):
    pairs = draw(st.lists(st.permutations(names).map(lambda p: tuple(p[:2])), max_size=2))
    pairs = {pair[0]: pair for pair in pairs if len(pair) == 2}.values()
    return [
        AliasDomain(
            alias_domain_id=alias,
            target_domain_id=target,
            active=draw(st.sampled_from([True, True, False])),
        )
        for alias, target in pairs
    ]


def probes(world):
    """Every row's address, with and without extension, and some unknown ones."""
    names, _domains, mailboxes, aliases, _mirrors, _transports = world
    rows = {row.pk for row in [*mailboxes, *aliases] if not row.pk.startswith("@")}
    locals_ = {address.rpartition("@")[0].strip('"') for address in rows} | {"unknown"}
    addresses = [f"{local_part}@{name}" for local_part in sorted(locals_) for name in names]
    return [*addresses, *[a.replace("@", "+ext@", 1) for a in addresses], f"Bob@{names[0].upper()}"]


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


def store(world, postfix):
    _names, domains, mailboxes, aliases, mirrors, transports = world
    replace_transports(transports, postfix)
    Domain.objects.bulk_create(domains)
    Mailbox.objects.bulk_create(mailboxes)
    Alias.objects.bulk_create(aliases)
    AliasDomain.objects.bulk_create(mirrors)


def replace_transports(rows, postfix):
    """Replace the rows and reload Postfix, which caches `*` for half a minute."""
    for row in rows:
        if not any(sign in row.pattern for sign in "/ "):
            validate_pattern(row.pattern)
        if row.transport not in BROKEN:
            validate_transport(row.transport)
    Transport.objects.all().delete()
    Transport.objects.bulk_create(rows)
    if shared_rows() != getattr(postfix, "has_read", set()):
        reload(postfix)
        postfix.has_read = shared_rows()


def reload(postfix):
    """Reload Postfix and wait until the old processes have ended."""
    old = parts(postfix)
    postfix.tool("postfix", "reload", check=True)
    postfix.wait_until(lambda: not old & parts(postfix))


def parts(postfix):
    """Return the processes that cache lookups."""
    master = str(postfix._master())
    command = ["ps", "-o", "pid=,comm=", "--ppid", master]
    said = subprocess.run(command, capture_output=True, text=True)
    lines = (line.split() for line in said.stdout.splitlines())
    return {pid for pid, name in lines if name in ("trivial-rewrite", "qmgr", "cleanup", "smtpd")}


def shared_rows():
    rows = Transport.objects.filter(pk__in=SHARED, active=True)
    return set(rows.values_list("pattern", "transport"))


def explanation(world):
    _names, domains, mailboxes, aliases, mirrors, transports = world
    rows = [f"domain {d.pk} {d.active=} {d.backupmx=} {d.transport=}" for d in domains]
    rows += [f"mailbox {m.pk} {m.active=}" for m in mailboxes]
    rows += [f"alias {a.pk} {a.active=} → {a.goto}" for a in aliases]
    rows += [f"transport {t.pk} {t.active=} → {t.transport}" for t in transports]
    return "\n".join(rows + [f"{m.pk} → {m.target_domain_id} {m.active=}" for m in mirrors])


def answers(postfix, addresses):
    """Return Postfix's reply to each recipient."""
    with postfix.smtp() as client:
        client.ehlo()
        client.mail("")
        replies = {}
        for address in addresses:
            code, text = client.rcpt(routing.quote_address(address))
            replies[address] = "" if code == 250 else f"{code} {text.decode()}"
        return replies


def send(postfix, addresses):
    """Send one message; return the outcome for each recipient, or the reply that refused it."""
    with postfix.smtp() as client:
        client.ehlo()
        client.mail("")
        for address in addresses:
            code, text = client.rcpt(routing.quote_address(address))
            assert code == 250, text
        try:
            code, reply = client.data("Subject: x\n\nx\n")
        except smtplib.SMTPDataError as error:
            code, reply = error.smtp_code, error.smtp_error
        if code != 250:
            return f"{code} {reply.decode()}"
        return ends(lines_of(postfix, postfix_server.queue_id(reply)))


def lines_of(postfix, queue_id):
    """Return the log of a message; a deferred one is deleted without waiting."""
    deadline = time.monotonic() + servers.PATIENCE
    while time.monotonic() < deadline:
        lines = postfix.lines_of(queue_id)
        if any(line.endswith(f"{queue_id}: removed") for line in lines):
            return lines
        if any("status=deferred" in line for line in lines) and is_deferred(postfix, queue_id):
            postfix.tool("postsuper", "-d", queue_id)
            return postfix.lines_of(queue_id)
        time.sleep(0.005)
    raise RuntimeError(f"{queue_id} is not delivered:\n" + "\n".join(postfix.lines_of(queue_id)))


def is_deferred(postfix, queue_id):
    """Return whether delivery to each recipient has been attempted."""
    queue = [json.loads(line) for line in postfix.tool("postqueue", "-j").stdout.splitlines()]
    return any(m["queue_id"] == queue_id and m["queue_name"] == "deferred" for m in queue)


LINE = re.compile(
    r"(?P<service>\S+?)\[\d+\]: \w+: to=<(?P<to>.*?)>,(?: orig_to=<(?P<orig>[^>]*)>,)?"
    r" relay=.* status=(?P<status>\w+) \((?P<text>.*)\)"
)


def ends(lines):
    """Return original recipient → deliveries."""
    found = {}
    for line in lines:
        if hit := LINE.search(line):
            service = hit["service"].removesuffix("/discard").rpartition("/")[2]
            if hit["status"] == "deferred":
                service = "retry"
            is_said = service in ("virtual", "error", "retry")
            text = hit["status"] if is_said else hit["text"].lower()
            address = "" if "bad address syntax" in hit["text"] else bare(hit["to"])
            end = (address, service, text)
            found.setdefault(bare(hit["orig"] or hit["to"]), set()).add(end)
    return found


def bare(address):
    """Return an address without quotes and spaces, which Postfix adds to invalid ones."""
    return re.sub(r'[\s"\\]', "", address.lower())


def foretold(route):
    """Return the tracer's deliveries in the format of the log, without invalid addresses."""
    found = set()
    for delivery in route.deliveries:
        service, text = delivery.transport, delivery.nexthop.lower()
        if delivery.kind in ("broken", "deferred"):
            service, text = "retry", "deferred"
        elif service == "error":
            text = "bounced"
        elif service == "virtual":
            text = "sent" if delivery.kind == "mailbox" else "bounced"
        address = "" if delivery.kind == "malformed" else bare(delivery.address)
        found.add((address, service, text))
    return found


def refused_by_the_panel(world):
    """Return whether the panel would refuse an alias, or an alias domain of an alias domain."""
    aliases = [alias for alias in world[3] if alias.active]
    lists = [split_goto(alias.goto) for alias in aliases]
    mixed = [goto for goto in lists if len(goto) > 1 and any(t.startswith("@") for t in goto)]
    mirrors = world[4]
    chained = {m.alias_domain_id for m in mirrors} & {m.target_domain_id for m in mirrors}
    return mixed or chained or any(find_loop(alias, {}) for alias in aliases)


def traced(addresses, **more):
    setup = routing.build_panel_config(
        **{"delivery_agents": dict.fromkeys(AGENTS, "")} | more,
        myorigin="mail.test",
        services=routing.RoutingConfig().services
        | {"local": "elsewhere:local", "virtual": "virtual"},
    )
    tracer = routing.PostfixRouter(setup)
    return {address: tracer.route(address) for address in addresses}


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


# Parts of lists of targets; # stands for a local domain.
PIECES = ["bob", "bob@#", "info@#", "ann@far.test", "root", "x y", "Bob", "a.b", ".", "..", "+x"]
PIECES += ["@", "@#", ",", ", ", ";", "; ", ":", " ", "\n", "\t", "<", ">", "<bob@#>", "<>"]
PIECES += [
    '"',
    '"B. Ob" ',
    '"a,b"',
    '"a b"@far.test',
    "\\",
    "(",
    ")",
    "(c, d@#)",
    "[",
    "]",
    "[1.2.3.4]",
]
PIECES += [
    "%",
    "!",
    "|",
    "a%far.test",
    "far.test!b",
    "bob@#.",
    "list: ",
    "Bob Ob <bob@#>",
    "-",
    "/",
]
TARGETS = [piece for piece in PIECES if "@" in piece] + ["root"]
SEPARATORS = [",", ", ", " ", "\n", "\r\n", ";", "; ", ",,", "\t"]


def lists_of_targets():
    """Lists of targets, valid and invalid."""
    garbage = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)
    garbage = garbage.filter(lambda text: not re.search('"@.*:', text, re.DOTALL))  # a quoted route
    lists = st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4)
    lists = st.builds(lambda sign, parts: sign.join(parts), st.sampled_from(SEPARATORS), lists)
    return garbage | lists


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
