"""Query costs of pages, independent of the size of the database."""

import csv
import json
import os
from pathlib import Path

import pytest

from tests.bench import filling, pages
from tests.bench.pages import LOOKS_EVERYWHERE
from tests.legacy_databases import Database

pytestmark = [pytest.mark.mariadb, pytest.mark.release]

QUERIES = 10
SHOWN = 50
# Rows read for each row shown: itself, related rows, and index entries.
# An admin's rows are read from each of their ten domains, and sorted.
A_ROW = {filling.ROOT: 12, filling.TEN: 50, filling.OWNER: 1, filling.BUSY: 1, filling.NOBODY: 0}
# Searches of some domains read the mailboxes of these, and the global one their aliases as well.
# The largest domain has 13 % of all mailboxes, and the ten of an admin together hardly more.
SEARCHED_TABLES = {
    (filling.ROOT, "mailboxes of the largest, nothing"): 1,
    (filling.TEN, "mailboxes of the largest, nothing"): 1,
    (filling.TEN, "mailboxes, nothing"): 1,
    (filling.TEN, "aliases, rare part"): 1,
    (filling.TEN, "search, nothing"): 2,
}
# The larger one has 1,200 mailboxes and 3,000 log lines more in its largest domain alone.
GROWTH, SLACK = 1.3, 400
# What each page costs in the small database, so that a page that needs more is noticed. Written
# anew by WRITE_PAGE_COSTS=1: look at the difference before it is committed.
COSTS_FILE = Path(__file__).with_name("page_costs.csv")
METHODS = ("GET", "POST", "PATCH", "DELETE")
SIZE_GROWTH, SIZE_SLACK = 1.02, 200  # bytes: dates, tokens and names differ a little


@pytest.fixture(scope="module")
def costs(mariadb):
    """Return the costs in a small database and in one four times as large."""
    return [measure(mariadb, "XS"), measure(mariadb, "XS4")]


@pytest.fixture(scope="module")
def log_costs(mariadb, costs):
    """Return the costs in the small database, and in one with a log of 500,000 lines."""
    return [costs[0], measure(mariadb, "XSLOG")]


def measure(mariadb, name):
    database = Database(mariadb, f"cost_{name}")
    mariadb.create(database.name)
    database.migrate()
    filling.fill(database, filling.SIZES[name])
    found = json.loads(database.panel("-m", "tests.query_costs"))
    database.drop()
    return found


def costs_by_page(costs, *methods):
    """Return (user, page, cost in the small and in the large database) of pages to read."""
    small, large = costs
    for page in pages.PAGES:
        for person in page.people if page.method in (methods or ("GET",)) else ():
            yield person, page, small[person][page.name], large[person][page.name]


@pytest.mark.mysql
def test_no_page_runs_more_than_ten_queries(costs):
    many = {
        (person, page.name): queries
        for person, page, _small, (queries, _rows, _size) in costs_by_page(costs)
        if queries > (page.queries or QUERIES)
    }
    assert many == {}


def test_no_page_costs_more_than_recorded(costs):
    measured = {
        (page.name, person): (queries, size)
        for person, page, (queries, _rows, size), _large in costs_by_page(costs, *METHODS)
    }
    if os.environ.get("WRITE_PAGE_COSTS"):
        write_page_costs(measured)
    recorded = read_page_costs()
    assert measured.keys() == recorded.keys()
    risen = {
        key: (recorded[key], (queries, size))
        for key, (queries, size) in measured.items()
        if queries > recorded[key][0] or size > recorded[key][1] * SIZE_GROWTH + SIZE_SLACK
    }
    assert risen == {}


def read_page_costs():
    """Return (page, user) → its queries and bytes."""
    with COSTS_FILE.open(newline="") as file:
        return {
            (row["page"], row["user"]): (int(row["queries"]), int(row["bytes"]))
            for row in csv.DictReader(file)
        }


def write_page_costs(measured):
    with COSTS_FILE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["page", "user", "queries", "bytes"])
        writer.writerows([*key, *cost] for key, cost in measured.items())


@pytest.mark.mysql
def test_a_page_reads_few_more_rows_than_it_shows(costs):
    read = {
        (person, page.name): rows
        for person, page, _small, (_queries, rows, _size) in costs_by_page(costs)
        if not page.exempt and rows > A_ROW[person] * SHOWN
    }
    assert read == {}


@pytest.mark.mysql
def test_a_search_of_some_domains_reads_no_other_rows(costs):
    largest = filling.SIZES["XS4"].largest
    read = {
        (person, name): costs[1][person][name][1]
        for (person, name), tables in SEARCHED_TABLES.items()
        if costs[1][person][name][1] > tables * largest * GROWTH + SLACK
    }
    assert read == {}


@pytest.mark.mysql
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_rows_read_do_not_grow_with_the_database(costs, method):
    """If both show the same number of rows."""
    grown = {
        (person, page.name): (small[1], large[1])
        for person, page, small, large in costs_by_page(costs, method)
        if not page.exempt and large[2] < small[2] * 1.1 and large[1] > small[1] * GROWTH + SLACK
    }
    assert grown == {}


@pytest.mark.mysql
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_page_reads_more_of_a_long_log_than_it_shows(log_costs, method):
    """Its log has 490,000 lines more; a page may show more of it, as some lines are rare."""
    grown = {
        (person, page.name): (small[1], large[1])
        for person, page, small, large in costs_by_page(log_costs, method)
        if page.exempt != LOOKS_EVERYWHERE and large[1] > small[1] + A_ROW[person] * SHOWN
    }
    assert grown == {}
