"""Who may open what: each URL, with each method, by everybody, for own and foreign rows.

What is expected follows from the roles that views and tables declare, and from scope. A page that
is added later is tested as well; a parameter that is unknown to the matrix fails.
"""

from django.test import SimpleTestCase

from mailadmin.access_matrix import MARKER, list_pages, render_access_matrix
from tests.architecture import ROOT
from tests.attacks.access_checks import AccessChecks


class AdminTests(AccessChecks):
    def test_a_domain_admin(self):
        self.check_all(self.visitor(self.alice.pk))

    def test_another_domain_admin(self):
        self.check_all(self.visitor(self.dave.pk))

    def test_a_superadmin(self):
        self.check_all(self.visitor(self.root.pk))


class AccessMatrixPageTests(SimpleTestCase):
    def test_the_documentation_shows_the_matrix(self):
        """`manage.py access-matrix docs/security.md` writes it."""
        page = (ROOT / "docs/security.md").read_text("utf-8")
        self.assertEqual(page.partition(MARKER)[2].strip(), render_access_matrix().strip())

    def test_every_url_has_somebody_who_may_open_it(self):
        for page in list_pages():
            for method in page.methods:
                with self.subTest(route=page.route, method=method):
                    self.assertTrue(page.is_public or page.get_roles(method))
