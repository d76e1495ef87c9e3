"""Integrity checks: each fault is found once, and fixed where no decision is needed."""

import io
import json
from dataclasses import replace
from unittest import mock

from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from domains.models import Admin, AliasDomain, DkimKey, DkimSigning, DomainAdmin
from mailadmin.changes.models import Change, ChangeSecret
from mailadmin.changes.perform import Actor, perform
from mailadmin.names import fold
from mailboxes.integrity import views
from mailboxes.integrity.catalog import CHECKS
from mailboxes.integrity.checks import CheckedRows, in_domain_by
from mailboxes.integrity.fixes import digest_plan, fix_problems, plan_fix
from mailboxes.integrity.scanning import Scope, iter_problems, scan
from mailboxes.models import Alias, Mailbox, Usage, vacation_target
from tests.base import World
from tests.mailboxes.integrity_faults import (
    CONSOLE,
    FAULTS,
    add_alias,
    add_domain,
    add_mailbox,
    add_vacation,
    find_all,
    fix_all,
    insert,
    is_case_kept,
    make_faults,
)


class IntegrityTests(World):
    def test_every_check_has_a_fault(self):
        self.assertEqual(set(FAULTS), set(CHECKS))

    def test_a_sound_database_has_no_problems(self):
        self.assertEqual(find_all(), {})

    def test_each_fault_is_found_once(self):
        made = make_faults()
        self.assertEqual(find_all(), {name: [key] for name, key in made.items()})

    def test_fixes_leave_what_a_person_must_decide(self):
        made = make_faults()
        fix_all()
        left = {name: [key] for name, key in made.items() if CHECKS[name].plan is None}
        self.assertEqual(find_all(), left)


class IntegrityPageTests(World):
    def setUp(self):
        self.made = make_faults()

    def open(self, person, path="", status=200):
        self.sign_in(person)
        page = self.client.get(f"/integrity/{path}")
        self.assertEqual(page.status_code, status, path)
        return page

    def names(self, page):
        return {each.check.name for _label, own in page.context["problem_groups"] for each in own}

    def test_a_superadmin_sees_what_was_found(self):
        page = self.open(self.root)
        self.assertEqual(self.names(page), set(self.made))
        for name, key in self.made.items():
            page = self.open(self.root, f"{name}/")
            self.assertContains(page, key)
            is_fixable = CHECKS[name].plan is not None
            self.assertIs(b'name="keys"' in page.content, is_fixable, name)
            self.assertIs(b"A person must decide" in page.content, not is_fixable, name)

    def test_every_row_is_a_link_to_a_page(self):
        self.sign_in(self.root)
        for name in self.made:
            for each in iter_problems(CHECKS[name], CONSOLE):
                if url := each.problem.url:
                    self.assertEqual(self.client.get(url).status_code, 200, (name, url))

    def test_an_admin_learns_nothing_about_replies_of_others(self):
        foreign = vacation_target("carol@example.com")
        add_alias("nosy@example.org", f"bob@example.org,{foreign}")
        self.assertEqual(self.names(self.open(self.alice)), set())

    def test_a_domain_admin_sees_the_own_domains(self):
        self.assertEqual(self.names(self.open(self.alice)), set())
        self.assertNotContains(self.open(self.alice, "alias-empty/"), "faults.example")
        add_alias("hollow@example.org", "")
        self.assertEqual(self.names(self.open(self.alice)), {"alias-empty"})
        self.assertContains(self.open(self.alice, "alias-empty/"), "hollow@example.org")
        self.assertEqual(self.names(self.open(self.alice, "?domain=faults.example")), set())
        self.open(self.alice, "quota2-mailbox/", 404)
        self.open(self.bob, "", 403)
        self.open(self.root, "nothing-like-it/", 404)

    def test_a_page_can_show_one_domain(self):
        self.assertEqual(
            self.names(self.open(self.root, "?domain=small.example")), {"domain-limits"}
        )
        page = self.open(self.root, "domain-limits/?domain=full.example")
        self.assertContains(page, "No problems found")

    def preview(self, name, **data):
        return self.client.post(f"/integrity/{name}/", data)

    def test_a_fix_is_shown_before_it_is_made(self):
        self.sign_in(self.root)
        page = self.preview("mailbox-alias-active", keys=["0:idle@faults.example"])
        self.assertContains(page, "Fix 1 problem")
        self.assertContains(page, "<del>no</del> → <ins>yes</ins>")
        self.assertFalse(Alias.objects.get(pk="idle@faults.example").active)
        data = {"keys": page.context["ids"], "digest": page.context["digest"]}
        done = self.preview("mailbox-alias-active", **data)
        self.assertRedirects(done, "/integrity/mailbox-alias-active/")
        self.assertTrue(Alias.objects.get(pk="idle@faults.example").active)
        self.assertEqual(self.logged(), [("edit_alias", "faults.example", "idle@faults.example")])
        change = Change.objects.get()
        self.assertEqual((change.key, change.values), ("idle@faults.example", {"active": [0, 1]}))

    def test_rows_that_changed_meanwhile_are_shown_again(self):
        self.sign_in(self.root)
        key = "back@faults.example"
        page = self.preview("vacation-target-left", keys=[f"0:{key}"])
        Alias.objects.filter(pk=key).update(goto=vacation_target(key))
        data = {"keys": page.context["ids"], "digest": page.context["digest"]}
        again = self.preview("vacation-target-left", **data)
        self.assert_refused(again, "have changed in the meantime")
        self.assertEqual(self.logged(), [])
        data["digest"] = again.context["digest"]
        self.preview("vacation-target-left", **data)
        self.assertEqual(Alias.objects.get(pk=key).goto, key)

    def test_keys_that_no_column_holds_name_nothing(self):
        self.open(self.root, "dkim-signing-key/?after=0:abc")
        self.open(self.root, "alias-empty/?after=0:🐎")
        for key in ("0:abc", "9:1", "🐎", "0:🐎", "0:99999999999999999999999"):
            for name in ("dkim-signing-key", "quota2-mailbox"):
                self.assertEqual(self.preview(name, keys=[key]).status_code, 302, (name, key))
                self.assertEqual(self.preview(name, keys=[key], digest="x").status_code, 302)

    def test_what_is_not_shown_is_not_fixed(self):
        self.sign_in(self.root)
        self.preview("quota2-mailbox", keys=["0:used2@faults.example"], digest="guessed")
        self.assertTrue(Usage.objects.filter(pk="used2@faults.example").exists())
        answer = self.preview("alias-empty", keys=["0:empty@faults.example"])
        self.assertEqual(answer.status_code, 404)

    def test_deleted_rows_can_be_restored(self):
        self.sign_in(self.root)
        page = self.preview("fetchmail-mailbox", all="1")
        self.assertNotContains(page, "src_password</dt><dd><del>")
        self.preview("fetchmail-mailbox", keys=page.context["ids"], digest=page.context["digest"])
        self.assertEqual(Change.objects.get().verb, "delete")
        self.assertEqual(ChangeSecret.objects.get().row["src_password"], "x")

    def test_what_is_deleted_with_a_row_is_shown_too(self):
        key = DkimKey.objects.get(domain_name="unsigned.example")
        insert(DkimSigning(author="faults.example", dkim=key))
        self.sign_in(self.root)
        page = self.preview("dkim-domain", all="1")
        records = [each["record"] for each in page.context["planned"]]
        self.assertEqual([record.table for record in records], ["dkimkey", "dkimsigning"])
        self.preview("dkim-domain", keys=page.context["ids"], digest=page.context["digest"])
        deleted = Change.objects.order_by("pk").values_list("verb", "table")
        self.assertEqual(sorted(deleted), [("delete", "dkimkey"), ("delete", "dkimsigning")])

    def test_an_admin_fixes_no_foreign_rows(self):
        self.sign_in(self.alice)
        answer = self.preview("mailbox-alias-active", keys=["0:idle@faults.example"])
        self.assertRedirects(answer, "/integrity/mailbox-alias-active/")
        check = CHECKS["mailbox-alias-active"]
        digest = digest_plan(plan_fix(check, CONSOLE, list(iter_problems(check, CONSOLE))))
        ids = ["0:idle@faults.example"]
        self.preview("mailbox-alias-active", keys=ids, digest=digest)
        self.assertFalse(Alias.objects.get(pk="idle@faults.example").active)
        with self.assertRaises(PermissionDenied):
            self.perform(self.alice, fix_problems, "quota2-mailbox", [], "")

    def test_pages_continue_by_key(self):
        for number in range(120):
            add_alias(f"hollow{number:03}@example.org", "")
        page = self.open(self.root, "alias-empty/?domain=example.org")
        seen = []
        while True:
            seen += [each.problem.key for each in page.context["found"]]
            if not page.context["next_url"]:
                break
            page = self.client.get("/integrity/alias-empty/" + page.context["next_url"])
        self.assertEqual(seen, [f"hollow{number:03}@example.org" for number in range(120)])

    def test_checks_that_take_long_continue_with_the_time_that_is_left(self):
        source = CheckedRows(Alias, "address", in_domain_by("domain"), window=3)
        check = replace(CHECKS["alias-empty"], sources=[source])
        with (
            mock.patch.dict(views.CHECKS, {"alias-empty": check}, clear=True),
            mock.patch.object(views, "MIN_SECONDS", 1e-9),
        ):
            [summary] = self.open(self.root).context["problem_groups"][0][1]
            self.assertEqual((summary.number, summary.is_partial), (1, False))
            with mock.patch.object(views, "PAGE_SECONDS", 0):
                page = self.open(self.root)
        [summary] = page.context["problem_groups"][0][1]
        self.assertEqual((summary.number, summary.is_partial), (0, True))
        self.assertContains(page, "none so far")

    def test_a_scan_without_time_continues_where_it_stopped(self):
        source = CheckedRows(Alias, "address", in_domain_by("domain"), window=3)
        check = replace(CHECKS["alias-empty"], sources=[source])
        result, seen, parts = scan(check, CONSOLE, seconds=1e-9), [], 1
        while result.next:
            seen += result.found
            result, parts = scan(check, CONSOLE, result.next, seconds=1e-9), parts + 1
        self.assertGreater(parts, 5)
        self.assertEqual(
            [each.problem.key for each in seen + result.found], ["empty@faults.example"]
        )


class IntegrityCommandTests(World):
    def run_command(self, *arguments):
        out, errors = io.StringIO(), io.StringIO()
        try:
            call_command("integrity", *arguments, stdout=out, stderr=errors)
        except CommandError as error:
            return error.returncode, out.getvalue(), errors.getvalue()
        return 0, out.getvalue(), errors.getvalue()

    def test_a_sound_database_exits_with_0(self):
        self.assertEqual(self.run_command("--json")[:2], (0, "[]\n"))

    def test_problems_exit_with_1_and_fixes_leave_decisions(self):
        made = make_faults()
        status, out, _errors = self.run_command("--json")
        self.assertEqual(status, 1)
        self.assertEqual({row["check"]: row["name"] for row in json.loads(out)}, made)
        status, out, _errors = self.run_command("--fix", "--yes", "--json")
        self.assertEqual(status, 1)
        fixed = {row["check"] for row in json.loads(out) if row["fixed"]}
        self.assertEqual(fixed, {name for name in made if CHECKS[name].plan})
        left = {row["check"] for row in json.loads(self.run_command("--json")[1])}
        self.assertEqual(left, set(made) - fixed)

    def test_one_check_and_one_domain(self):
        make_faults()
        status, out, errors = self.run_command("--check", "quota2-mailbox", "--fix", "--yes")
        self.assertEqual(status, 0)
        self.assertIn("used2@faults.example", out)
        self.assertIn("Deleted: usage used2@faults.example", errors)
        status, out, _errors = self.run_command("--domain", "Small.example")
        self.assertEqual((status, len(out.splitlines())), (1, 2))

    def test_the_command_asks_before_it_fixes(self):
        make_faults()
        terminal = io.StringIO()
        with (
            mock.patch.object(terminal, "isatty", return_value=True),
            mock.patch("sys.stdin", terminal),
        ):
            for answer, status in (("n", 1), ("y", 0)):
                with mock.patch("builtins.input", return_value=answer) as asked:
                    found = self.run_command("--check", "quota2-mailbox", "--fix")[0]
                self.assertEqual((found, asked.call_count), (status, 1))

    def test_wrong_usage_exits_with_2(self):
        make_faults()
        self.assertEqual(self.run_command("--fix", "--json")[0], 2)
        with mock.patch("sys.stdin", io.StringIO("y\n")):
            self.assertEqual(self.run_command("--fix")[0], 2)

    def test_checks_are_listed(self):
        status, out, _errors = self.run_command("--list", "--json")
        self.assertEqual([row["check"] for row in json.loads(out)], list(CHECKS))
        self.assertEqual(status, 0)


class LoopTests(World):
    def find(self):
        return [each.problem for each in iter_problems(CHECKS["alias-loop"], CONSOLE)]

    def test_a_loop_is_named_at_its_first_alias(self):
        for name, target in (("c", "d"), ("d", "e"), ("e", "c"), ("a", "d")):
            add_alias(f"{name}@example.org", f"{target}@example.org")
        [loop] = self.find()
        self.assertEqual(loop.key, "c@example.org")
        for name in ("c", "d", "e"):
            self.assertIn(f"{name}@example.org", loop.text)

    def test_a_loop_leads_over_a_catch_all_and_an_alias_domain(self):
        add_domain("mirror.example")
        row = {"alias_domain_id": "mirror.example", "target_domain_id": "example.org"}
        insert(AliasDomain(**row))
        add_alias("@example.com", "out@mirror.example")
        add_alias("out@example.org", "nobody@example.com")
        [loop] = self.find()
        self.assertEqual(loop.key, "@example.com")

    def test_who_keeps_a_copy_ends_a_loop(self):
        add_alias("c@example.org", "d@example.org,c@example.org")
        add_alias("d@example.org", "c@example.org")
        self.assertEqual(self.find(), [])

    def test_an_admin_sees_the_own_part_of_a_loop(self):
        add_alias("c@example.org", "secret@example.com")
        add_alias("secret@example.com", "c@example.org")
        scope = Scope(Admin.objects.get(pk=self.alice.pk))
        [each] = iter_problems(CHECKS["alias-loop"], scope)
        self.assertEqual(each.problem.key, "c@example.org")


class SpellingTests(World):
    def fix(self, name):
        check = CHECKS[name]
        found = list(iter_problems(check, CONSOLE))
        digest = digest_plan(plan_fix(check, CONSOLE, found))
        perform(Actor.console(), fix_problems, name, [each.id for each in found], digest)

    def test_rows_follow_a_mailbox_into_lower_case(self):
        add_domain("Loud.example")
        add_mailbox("Ida@Loud.example")
        add_vacation("Ida@Loud.example", "Loud.example", active=False)
        insert(Usage(mailbox_id="Ida@Loud.example", bytes=7))
        insert(Admin(username="Boss@loud.example", password=""))
        insert(DomainAdmin(admin_id="Boss@loud.example", domain_id="Loud.example"))
        self.fix("upper-case")
        self.assertEqual(find_all(), {})
        ida = Mailbox.objects.get(pk="ida@loud.example")
        self.assertEqual((ida.pk, ida.usage.bytes), ("ida@loud.example", 7))
        self.assertEqual(ida.vacation.subject, "Away")
        self.assertEqual(Alias.objects.get(pk=ida.pk).pk, ida.pk)
        admin = Admin.objects.get(pk="boss@loud.example")
        self.assertEqual([fold(name) for name in admin.get_assigned_domains()], ["loud.example"])
        self.assertIn(("edit_mailbox", "loud.example", "ida@loud.example"), self.logged())

    def test_a_name_that_is_taken_is_left(self):
        if not is_case_kept():
            self.skipTest("Names that differ in case are the same in this database.")
        add_domain("loud.example")
        add_mailbox("Ida@loud.example")
        insert(Usage(mailbox_id="Ida@loud.example", bytes=7))
        insert(Usage(mailbox_id="ida@loud.example", bytes=8))
        self.fix("upper-case")
        self.assertEqual(Mailbox.objects.get(pk="ida@loud.example").usage.bytes, 8)
