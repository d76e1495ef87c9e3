"""Which limits of domains are enforced, as a setting says."""

from django.core.exceptions import ValidationError
from django.test import override_settings

from domains.models import Domain, DomainState
from mailboxes.integrity.catalog import CHECKS
from mailboxes.models import Alias, Mailbox
from mailboxes.services.domain_warnings import iter_limit_warnings
from mailboxes.services.mailboxes import create_mailboxes, edit_mailbox
from mailboxes.services.statistics import filter_needing_attention
from tests.base import World

LARGER, TOGETHER = 900, 400  # MB: more than one mailbox may have, more than all have left


class QuotaLimitTests(World):
    def setUp(self):
        Domain.objects.filter(pk="example.org").update(maxquota=500, quota=300)

    def refuses(self, quota):
        row = {"local_part": f"x{quota}", "password": "x", "quota": quota}
        row["domain"] = Domain.objects.get(pk="example.org")
        try:
            self.perform(self.alice, create_mailboxes, [row])
        except ValidationError:
            return True
        return False

    def test_all_are_enforced_unless_a_setting_says_otherwise(self):
        for enforced, refused in (
            ("all", {LARGER, TOGETHER, 0}),
            ("mailboxes", {LARGER, 0}),
            ("no", set()),
        ):
            with self.subTest(enforced), override_settings(MAILADMIN_QUOTA_LIMITS=enforced):
                found = {quota for quota in (LARGER, TOGETHER, 0) if self.refuses(quota)}
                self.assertEqual(found, refused)
                for model in (Mailbox, Alias):
                    model.objects.filter(pk__startswith="x").delete()

    @override_settings(MAILADMIN_QUOTA_LIMITS="no")
    def test_an_edit_is_as_free_as_a_creation(self):
        self.perform(self.alice, edit_mailbox, "bob@example.org", {"quota": LARGER})
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").quota, LARGER * 1024000)

    def test_forms_have_the_enforced_limits_only(self):
        self.sign_in(self.root)
        for enforced, shown in (
            ("all", {"maxquota", "quota"}),
            ("mailboxes", {"maxquota"}),
            ("no", set()),
        ):
            with self.subTest(enforced), override_settings(MAILADMIN_QUOTA_LIMITS=enforced):
                form = self.client.get("/domains/example.org/edit/").context["form"]
                self.assertEqual({"maxquota", "quota"} & set(form.fields), shown)

    def test_nothing_warns_of_limits_that_are_not_enforced(self):
        Mailbox.objects.filter(pk="bob@example.org").update(quota=LARGER * 1024000)
        state = DomainState.objects.filter(pk="example.org")
        state.update(quota_assigned=LARGER * 1024000)
        for enforced, count in (("all", 2), ("mailboxes", 1), ("no", 0)):
            with self.subTest(enforced), override_settings(MAILADMIN_QUOTA_LIMITS=enforced):
                domain = Domain.objects.get(pk="example.org")
                self.assertEqual(len(list(iter_limit_warnings(domain))), count)
                self.assertEqual(filter_needing_attention(state).count(), int(enforced == "all"))
                found = [
                    problem
                    for check in CHECKS.values()
                    if check.name in ("domain-quota", "mailbox-quota")
                    for rows in check.sources
                    for problem in check.find(rows.model._base_manager.all(), self.root)
                ]
                self.assertEqual(len(found), count)

    @override_settings(MAILADMIN_TRANSPORT_DEFAULT="lmtp:inet:mx.test:24")
    def test_a_new_domain_has_the_default_transport(self):
        self.sign_in(self.root)
        form = self.client.get("/domains/create/").context["form"]
        self.assertEqual(form["transport"].value(), "lmtp:inet:mx.test:24")
        response = self.api(self.root).post("domains", {"domain": "new.example"})
        self.assertEqual(response.status_code, 201)
        domain = Domain.objects.get(pk="new.example")
        self.assertEqual(domain.transport, "lmtp:inet:mx.test:24")
