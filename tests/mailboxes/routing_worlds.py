"""Random rows and targets, for comparisons of the tracer with Postfix."""

import itertools
import re

from hypothesis import strategies as st

from domains.models import AliasDomain, Domain, Transport
from domains.patterns import WILDCARD_PATTERN
from mailboxes.models import Alias, Mailbox

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
