"""A table needs one line to be imported and exported: columns and services are its own."""

from unittest import mock

from domains.models import AliasDomain, Transport
from domains.transports.tables import TransportTable
from mailadmin import registry
from mailadmin.accounts.models import Role
from mailboxes.domain_tables import AliasDomainTable
from mailboxes.transfer import row_types
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.csvfiles import iter_csv_lines
from tests.mailboxes.transfer.base import TransferWorld


class RouteTable(TransportTable):
    slug = "routes"


class MirrorTable(AliasDomainTable):
    slug = "mirrors"


class DerivedRowTypeTests(TransferWorld):
    def setUp(self):
        super().setUp()
        for registered in (row_types.ROW_TYPES, row_types.ROW_TYPES_BY_TABLE, row_types.STAGES):
            patched = mock.patch.dict(registered)
            patched.start()
            self.addCleanup(patched.stop)
        row_types.register_row_type(row_types.RowType(RouteTable))
        row_types.register_row_type(row_types.RowType(MirrorTable))

    def import_route(self, transport):
        return self.imported(f"pattern,transport\n.new.example,{transport}\n", name="routes.csv")

    def test_rows_are_created_changed_and_reverted(self):
        plan = self.imported(
            "pattern,transport\n.new.example,smtp:[a.example]\n", name="routes.csv"
        )
        self.assertEqual(self.verbs(plan), {".new.example": "new"})
        plan = self.imported(
            "pattern,transport\n.new.example,smtp:[b.example]\n", name="routes.csv"
        )
        self.assertEqual(self.verbs(plan), {".new.example": "changed"})
        self.assertEqual(Transport.objects.get().transport, "smtp:[b.example]")
        self.revert_plan(plan)
        self.assertEqual(Transport.objects.get().transport, "smtp:[a.example]")

    def test_domain_admins_have_import_pages_of_what_they_may_import_alone(self):
        for table in registry.tables.values():
            if Role.ADMIN in table.roles.get("import", Role(0)):
                columns = row_types.ROW_TYPES_BY_TABLE[table.slug].domain_admin_columns
                self.assertTrue(columns, table.slug)

    def test_rows_of_other_tables_are_passed_as_services_take_them(self):
        text = "alias_domain,target_domain\nexample.com,example.org\n"
        self.imported(text, name="mirrors.csv")
        mirror = AliasDomain.objects.get()
        self.assertEqual((mirror.pk, mirror.target_domain_id), ("example.com", "example.org"))

    def test_a_missing_column_is_named(self):
        plan = self.plan("pattern\n.new.example\n", name="routes.csv")
        self.assertIn("transport", str(plan.rows.get().reason))

    def test_rows_are_exported(self):
        self.import_route("smtp:[a.example]")
        text = "".join(iter_csv_lines(row_types.ROW_TYPES["routes"], Losses()))
        self.assertIn(".new.example,smtp:[a.example]", text)

    def test_the_template_has_the_example_of_the_table(self):
        self.sign_in(self.root)
        response = self.client.get("/import/routes.csv")
        self.assertIn(b"pattern,transport", response.getvalue())
