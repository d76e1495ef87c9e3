"""Bounds of API requests and tokens."""

from unittest import mock

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from domains.services.admins import create_admins
from mailadmin.api import tokens
from mailadmin.api.models import RequestCount, Token
from mailadmin.jobs.models import Job
from mailadmin.tables.saving import MAX_REFUSED_ROWS
from mailboxes.services.domains import create_domains
from tests.base import World


def bad_rows(count):
    row = {"domain": "example.org", "goto": ["bob@example.org"], "active": "perhaps"}
    return [{"local_part": f"not a name {n}", **row, "active": True} for n in range(count)]


class ApiBoundTests(World):
    def test_the_limit_parameter_is_parsed_strictly(self):
        program = self.api(self.alice)
        for limit in (
            "00001000000",
            "00001" + "9" * 30,
            "1" + "0" * 5000,
            "",
            "0",
            "1001",
            "-1",
            "²",
        ):
            with self.subTest(limit=limit[:20]):
                answer = program.get("mailboxes", limit=limit)
                self.assertEqual(answer.status_code, 422, answer.content[:200])
        for limit in ("1", "01", "1000"):
            self.assertEqual(program.get("mailboxes", limit=limit).status_code, 200)

    @override_settings(MAILADMIN_API_RATE=3)
    def test_all_tokens_of_a_person_count_together(self):
        programs = [self.api(self.alice), self.api(self.alice, name="other")]
        statuses = [programs[number % 2].get("log").status_code for number in range(4)]
        self.assertEqual(statuses, [200, 200, 200, 429])
        self.assertEqual(self.api(self.root).get("log").status_code, 200)
        self.assertEqual(RequestCount.objects.count(), 2)

    @override_settings(MAILADMIN_API_RATE=3)
    def test_a_token_from_a_wrong_network_does_not_count_towards_the_rate(self):
        lost = self.api(self.alice, networks=["192.0.2.0/24"], name="lost")
        self.assertEqual([lost.get("log").status_code for _time in range(5)], [401] * 5)
        self.assertEqual(self.api(self.alice).get("log").status_code, 200)

    def test_as_many_refused_rows_as_the_bound_are_all_reported(self):
        answer = self.api(self.alice).post("aliases", bad_rows(MAX_REFUSED_ROWS))
        self.assertNotIn("not checked", answer.json()["title"])

    def test_validation_stops_after_the_bound_of_refused_rows(self):
        program = self.api(self.alice)
        with CaptureQueriesContext(connection) as few:
            program.post("aliases", bad_rows(MAX_REFUSED_ROWS))
        with CaptureQueriesContext(connection) as many:
            answer = program.post("aliases", bad_rows(1000))
        self.assertEqual(answer.status_code, 422)
        self.assertEqual(len(answer.json()["items"]), MAX_REFUSED_ROWS)
        self.assertIn("others were not checked", answer.json()["title"])
        self.assertLessEqual(len(many), len(few) + 3)

    def test_rows_refused_by_a_service_are_bounded_too(self):
        row = {"domain": "example.org", "goto": ["bob@example.org"]}
        rows = [{"local_part": "info", **row} for _number in range(200)]
        answer = self.api(self.alice).post("aliases", rows)
        self.assertEqual(answer.status_code, 422)
        self.assertLessEqual(len(answer.json()["items"]), MAX_REFUSED_ROWS)

    def test_many_rows_query_their_domain_once(self):
        row = {"domain": "example.org", "goto": ["bob@example.org"]}
        queries = {}
        for count in (2, 40):
            rows = [{"local_part": f"a{count}-{number}", **row} for number in range(count)]
            program = self.api(self.alice)
            with CaptureQueriesContext(connection) as captured:
                self.assertEqual(program.post("aliases", rows).status_code, 201)
            queries[count] = len(
                [q for q in captured if 'FROM "domain"' in q["sql"].replace("`", '"')]
            )
        self.assertEqual(queries[2], queries[40])

    def test_networks_of_a_token_are_limited_and_unique(self):
        self.sign_in(self.alice)
        many = "\n".join(f"10.0.{n // 256}.{n % 256}" for n in range(tokens.MAX_TOKEN_NETWORKS + 1))
        answer = self.client.post("/account/tokens/", {"name": "many", "networks": many})
        self.assert_refused(answer, "Enter at most 100")
        same = "\n".join(["192.0.2.1"] * tokens.MAX_TOKEN_NETWORKS)
        self.client.post(
            "/account/tokens/", {"name": "same", "full_access": "on", "networks": same}
        )
        self.assertEqual(Token.objects.get(name="same").networks, ["192.0.2.1/32"])

    def test_a_token_with_very_many_networks_is_checked_quickly(self):
        program = self.api(self.alice)
        many = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}/32" for n in range(100_000)]
        Token.objects.update(networks=[*many, "127.0.0.0/8"])
        with mock.patch.object(
            tokens.ipaddress, "ip_network", wraps=tokens.ipaddress.ip_network
        ) as parse:
            self.assertEqual(program.get("log").status_code, 401)
            self.assertEqual(program.get("log").status_code, 401)
        self.assertLessEqual(parse.call_count, tokens.MAX_TOKEN_NETWORKS)

    def test_a_token_sees_the_jobs_it_started(self):
        """Also of an owner whose address is longer than a job displays."""
        self.perform(self.root, create_domains, [{"domain": "d" * 60 + ".example"}])
        name = "a" * 60 + "@" + "d" * 60 + ".example"
        self.perform(self.root, create_admins, [{"username": name, "superadmin": True}])
        admin = type(self.root).objects.get(pk=name)
        program = self.api(admin)
        with mock.patch("mailboxes.services.domain_deletion.LARGE_DOMAIN_MAILBOXES", 0):
            answer = program.delete("domains/example.org")
        self.assertEqual(answer.status_code, 202, answer.content)
        number = answer.json()["job"]
        Job.objects.update(owner="x" * 255)
        self.assertEqual(program.get(f"jobs/{number}").status_code, 200)
        self.assertEqual(self.api(admin, name="other").get(f"jobs/{number}").status_code, 404)
        self.assertEqual(self.api(self.alice).get(f"jobs/{number}").status_code, 404)
