"""What Postfix does with mail, and what the tracer foretells."""

import json
import re
import smtplib
import subprocess
import time

from domains.models import AliasDomain, Domain, Transport
from domains.patterns import validate_pattern, validate_transport
from mailboxes.models import Alias, Mailbox
from mailboxes.models.goto import split_goto
from mailboxes.postfix import routing
from mailboxes.postfix.addresses import quote_address
from mailboxes.services.loops import find_loop
from tests import postfix_server, servers
from tests.mailboxes.routing_worlds import AGENTS, BROKEN, SHARED


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
            code, text = client.rcpt(quote_address(address))
            replies[address] = "" if code == 250 else f"{code} {text.decode()}"
        return replies


def send(postfix, addresses):
    """Send one message; return the outcome for each recipient, or the reply that refused it."""
    with postfix.smtp() as client:
        client.ehlo()
        client.mail("")
        for address in addresses:
            code, text = client.rcpt(quote_address(address))
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
