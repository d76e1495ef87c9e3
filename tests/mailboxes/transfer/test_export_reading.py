"""Exports: reading many rows while others write."""

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from django.db import connection

from domains.models import Domain
from mailadmin.db import pagination
from mailadmin.db.snapshot import snapshot
from mailboxes.models import Alias, Mailbox
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import csvfiles, hashfiles, jsonfiles
from mailboxes.transfer.export.archive import iter_zip
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE


def create_many(first, last):
    """Create this many mailboxes with their aliases, every other one with a forwarding."""
    domain, _made = Domain.objects.get_or_create(domain="crowd.example")
    names = [f"u{number:07}" for number in range(first, last)]
    Mailbox.objects.bulk_create(
        (
            Mailbox(
                username=f"{name}@crowd.example",
                local_part=name,
                domain=domain,
                maildir=f"crowd.example/{name}/",
                password="{PLAIN}x",
            )
            for name in names
        ),
        batch_size=1000,
    )
    Alias.objects.bulk_create(
        (
            Alias(
                address=f"{name}@crowd.example",
                goto=f"{name}@far.test,{name}@crowd.example",
                domain=domain,
            )
            for name in names[::2]
        ),
        batch_size=1000,
    )


WRITERS = {
    "json": lambda: jsonfiles.iter_json(Losses()),
    "csv": lambda: csvfiles.iter_csv_lines(ROW_TYPES_BY_TABLE["mailboxes"], Losses()),
    "hashfiles": lambda: (
        piece for _n, pieces in hashfiles.iter_map_files(Losses()) for piece in pieces
    ),
    "zip": lambda: iter_zip(csvfiles.iter_csv_files(Losses(), "", True)),
}


def peak(pieces):
    """Return the peak memory of an export and its number of chunks."""
    tracemalloc.start()
    number = sum(1 for _piece in pieces)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held, number


@pytest.mark.django_db
def test_memory_does_not_grow_with_the_number_of_rows():
    create_many(0, 1500)
    few = {name: peak(write()) for name, write in WRITERS.items()}
    create_many(1500, 6000)
    for name, write in WRITERS.items():
        held, number = peak(write())
        assert number > 3 * few[name][1] or name == "zip"
        assert held < few[name][0] * 1.3 + 2_000_000, (
            name
        )  # a page or two; all rows would need more


@pytest.mark.django_db
def test_rows_are_fetched_in_batches(django_assert_max_num_queries):
    create_many(0, 5000)
    with django_assert_max_num_queries(120):
        for _piece in jsonfiles.iter_json(Losses()):
            pass


@pytest.mark.django_db(transaction=True)
def test_an_export_is_one_snapshot_and_blocks_no_writers():
    create_many(0, 10)
    with snapshot():
        pieces = jsonfiles.iter_json(Losses())
        said = [next(pieces), next(pieces)]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(written_meanwhile).result(timeout=20)
        said += pieces
    whole = json.loads("".join(said))
    assert [row["domain"] for row in whole["domains"]] == ["crowd.example"]
    assert len(whole["mailboxes"]) == 10
    assert Mailbox.objects.count() == 11
    Domain.objects.create(domain="after.example")  # the connection writes again


def written_meanwhile():
    create_many(10, 11)
    connection.close()


@pytest.mark.django_db
def test_a_non_ascii_key_does_not_stop_the_export():
    domain = Domain.objects.create(domain="example.org")
    with mock.patch.object(pagination.iter_pages, "__defaults__", (1,)):
        for name in ("a", "é", "ü"):
            Alias.objects.create(address=f"{name}@example.org", goto="x@far.test", domain=domain)
        whole = json.loads("".join(jsonfiles.iter_json(Losses())))
    assert {row["address"][0] for row in whole["aliases"]} == {"a", "é", "ü"}
