"""Who may open what: strangers, mailbox owners and tokens; admins in `test_access_matrix`."""

from tests.attacks.access_checks import AccessChecks


class StrangerTests(AccessChecks):
    def test_anonymous_visitors(self):
        self.check_all(self.visitor("anonymous"))


class OwnerTests(AccessChecks):
    def test_mailbox_owners(self):
        for person in (self.bob, self.carol):
            self.check_all(self.visitor(person.pk))


class TokenTests(AccessChecks):
    def test_tokens(self):
        for visitor in self.visitors():
            if visitor.token:
                self.check_all(visitor)
