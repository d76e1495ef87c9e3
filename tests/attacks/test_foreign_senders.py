"""A domain admin gives nobody the right to send as a foreign address, and nothing to foreigners.

Class: an address or domain out of scope accepted by another way than the form (iRedAdmin and
mailcow had such sender ACLs): forms, API, lists of the API, bulk actions, switches, imports.
"""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from domains.models import AliasDomain, Domain
from mailadmin.changes.perform import ConsolePrincipal
from mailboxes.models import Plan, PlanRow, SenderPermission
from mailboxes.postfix.explain.senders import explain_senders
from tests.attacks.matrix import MatrixWorld

FOREIGN_ADDRESSES = (
    "info@example.com",
    "Info@EXAMPLE.com",
    " info@example.com",
    "info@example.com.",
    "@example.com",
    "*@example.com",
    "@example.com@example.com",
    "info@example.org@example.com",
    "info@mirror.example.com",
    "carol@example.com",
    "x@unknown.example",
)
BROKEN_ADDRESSES = (
    *("", "*", "@", "%", "%@example.org", "*@*", "_@example.org,x@example.com", "example.com"),
    *("info@example.com\n@example.org", "info@example.com @example.org", "x@example.com\x00"),
    *("ınfo@example.org", "info@exаmple.org"),
)


class ForeignSenderTests(MatrixWorld):
    def setUp(self):
        super().setUp()
        self.before = self.permissions()
        self.own, self.foreign = self.keys["sender-permissions"]
        self.sign_in(self.alice)
        self.program = self.api(self.alice)

    def permissions(self):
        rows = SenderPermission.objects.order_by("pk")
        return [(row.address, row.mailbox_id, row.active) for row in rows]

    def rows(self):
        """Yield rows that alice must not create; “%@example.org” is an address of her domain."""
        for address in (*FOREIGN_ADDRESSES, *BROKEN_ADDRESSES):
            if address != "%@example.org":
                yield {"address": address, "mailbox": "bob@example.org"}
        for mailbox in (
            "carol@example.com",
            "CAROL@example.com",
            "%",
            "",
            "bob@example.org@example.com",
        ):
            yield {"address": "info@example.org", "mailbox": mailbox}

    def test_forms_and_the_api_create_none(self):
        for row in self.rows():
            with self.subTest(row=row):
                page = self.client.post("/sender-permissions/create/", row | {"active": "on"})
                self.assertEqual(page.status_code, 422)
                self.assertEqual(self.program.post("sender-permissions", row).status_code, 422)
                good = {"address": "ok@example.org", "mailbox": "bob@example.org"}
                answer = self.program.post("sender-permissions", [good, row])
                self.assertEqual(answer.status_code, 422)
        self.assertEqual(self.permissions(), self.before)

    def test_hidden_columns_are_no_way_around(self):
        row = {"address": "ok@example.org", "mailbox": "bob@example.org"}
        more = {
            "domain": "example.com",
            "domain_id": "example.com",
            "mailbox_domain": "example.com",
        }
        self.client.post("/sender-permissions/create/", row | more | {"active": "on"})
        created = SenderPermission.objects.get(address="ok@example.org")
        names = (created.domain_id, created.mailbox_domain_id)
        self.assertEqual(names, ("example.org", "example.org"))
        self.assertEqual(self.program.post("sender-permissions", row | more).status_code, 422)

    def test_an_edit_changes_no_address_or_mailbox(self):
        place = f"sender-permissions/{self.own}"
        for values in (
            {"address": "info@example.com"},
            {"mailbox": "carol@example.com"},
            {"id": self.foreign},
            {"domain": "example.com"},
        ):
            self.assertEqual(self.program.patch(place, values).status_code, 422, values)
            listed = [{"id": self.own} | values]
            self.assertEqual(self.program.patch("sender-permissions", listed).status_code, 422)
            url = f"/sender-permissions/{self.own}/edit/"
            seen = self.client.get(url).context["form"].initial["seen"]
            self.client.post(url, values | {"seen": seen, "active": "on"})
        self.assertEqual(self.permissions(), self.before)

    def test_foreign_rows_are_not_touched(self):
        for action in ("activate", "deactivate", "delete"):
            for keys in ([self.foreign], [self.own, self.foreign]):
                data = {"action": action, "keys": keys, "confirmed": "1", "all": "1"}
                self.client.post("/sender-permissions/bulk/?domain=example.com", data)
        self.program.patch("sender-permissions", [{"id": self.foreign, "active": False}])
        self.assertTrue(SenderPermission.objects.get(pk=self.foreign).active)

    def test_what_was_withdrawn_is_not_granted_again_by_one_side(self):
        """Of a permission of two domains, alice manages one."""
        row = SenderPermission.objects.create(
            address="info@example.com",
            domain_id="example.com",
            mailbox=self.bob,
            mailbox_domain_id="example.org",
            active=False,
        )
        place = f"/sender-permissions/{row.pk}"
        self.client.post(f"{place}/toggle/", {"field": "active", "value": "1"})
        data = {"action": "activate", "keys": [row.pk], "confirmed": "1"}
        self.client.post("/sender-permissions/bulk/", data)
        seen = self.client.get(f"{place}/edit/").context["form"].initial["seen"]
        page = self.client.post(f"{place}/edit/", {"active": "on", "seen": seen})
        self.assert_refused(page, "You do not manage the domain example.com.")
        answer = self.program.patch(place[1:], {"active": True})
        self.assertEqual(answer.status_code, 422)
        row.refresh_from_db()
        self.assertFalse(row.active)

    def test_a_token_of_one_domain_grants_nothing_in_another(self):
        Domain.objects.create(domain="second.example")
        self.alice.assignments.create(domain_id="second.example")
        alice = type(self.alice).objects.get(pk=self.alice.pk)
        program = self.api(alice, domains=["second.example"])
        row = {"address": "x@second.example", "mailbox": "bob@example.org"}
        self.assertEqual(program.post("sender-permissions", row).status_code, 422)
        row = {"address": "x@example.org", "mailbox": "bob@example.org"}
        self.assertEqual(program.post("sender-permissions", row).status_code, 422)
        self.assertEqual(program.get("sender-permissions").json()["items"], [])

    def test_imports_create_none(self):
        rows = [row for row in self.rows() if "\x00" not in row["address"]]
        lines = ['"{address}","{mailbox}"\n'.format(**row) for row in rows]
        lines.insert(0, "ok@example.org,bob@example.org\n")
        text = "address,mailbox\n" + "".join(lines)
        file = SimpleUploadedFile("sender-permissions.csv", text.encode())
        self.client.post("/import/", {"format": "csv", "file": file})
        call_command("worker", once=True)
        plan = Plan.objects.latest("pk")
        new = plan.rows.filter(verb=PlanRow.Verb.NEW).values_list("key", flat=True)
        self.assertEqual(list(new), ["ok@example.org / bob@example.org"])
        self.client.post(f"/import/{plan.pk}/", {"action": "apply", "confirmed": "1"})
        call_command("worker", once=True)
        created = [row for row in self.permissions() if row not in self.before]
        self.assertEqual(created, [("ok@example.org", "bob@example.org", True)])

    def test_an_alias_domain_is_no_way_into_the_target(self):
        """alice manages the alias domain, but not the domain to which it leads."""
        Domain.objects.create(domain="way.example")
        self.alice.assignments.create(domain_id="way.example")
        AliasDomain.objects.create(alias_domain_id="way.example", target_domain_id="example.com")
        self.client.force_login(type(self.alice).objects.get(pk=self.alice.pk))
        for address in ("carol@way.example", "@way.example"):
            row = {"address": address, "mailbox": "bob@example.org"}
            self.assertEqual(self.api(self.alice).post("sender-permissions", row).status_code, 201)
        for address in ("carol@example.com", "any@example.com", "@example.com"):
            senders = explain_senders(ConsolePrincipal(), address)["senders"]
            self.assertNotIn("bob@example.org", senders)

    def test_who_sends_by_a_foreign_row_is_not_shown(self):
        for url in (
            "/sender-permissions/",
            "/sender-permissions/?domain=example.com",
            "/sender-permissions/?q=example.com",
            "/search/?q=carol",
            "/addresses/bob@example.org/senders/",
            "/domains/example.org/",
        ):
            self.assertNotContains(self.client.get(url), "carol@example.com")
        self.assertEqual(self.client.get("/addresses/carol@example.com/senders/").status_code, 404)
