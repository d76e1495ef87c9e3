"""Integrity checks: each fault is found once, and fixed where no decision is needed."""

from domains.models import Domain
from mailadmin.changes.models import Change, ChangeSecret
from mailadmin.changes.perform import Actor, ConsolePrincipal, perform
from mailboxes.integrity.catalog import CHECKS
from mailboxes.integrity.fixes import digest_plan, fix_problems, plan_fix
from mailboxes.integrity.scanning import Scope, iter_problems
from mailboxes.models import Alias
from tests.base import World
from tests.mailboxes.integrity_faults import FAULTS, make_faults

CONSOLE = Scope(ConsolePrincipal())


def find_all(scope=CONSOLE):
    """Return check → the names that it finds."""
    found = {}
    for name, check in CHECKS.items():
        if scope.principal.role in check.roles:
            found[name] = [each.problem.key for each in iter_problems(check, scope)]
    return {name: keys for name, keys in found.items() if keys}


def fix_all():
    for check in CHECKS.values():
        found = list(iter_problems(check, CONSOLE))
        if check.plan and found:
            digest = digest_plan(plan_fix(check, CONSOLE, found))
            ids = [each.id for each in found]
            perform(Actor.console(), fix_problems, check.name, ids, digest)


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
