"""The tests that every table inherits."""

from django.test import Client

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.changes.models import Change, Log


class TableTests:
    """Tests of every table; a subclass gives its slug, a row of alice's and a foreign one."""

    slug = ""
    own_key = None
    foreign_key = None
    create_data = None
    created_key = None
    create_verb = delete_verb = None
    edit_data = None
    edited = {}
    delete_key = None

    @property
    def table(self):
        return registry.tables[self.slug]

    @property
    def change_table(self):
        """Return the name of the table in change records."""
        return self.table.model._meta.model_name

    def change_key(self, key):
        """Return the key of the change records of a row."""
        return key

    def url(self, screen, key=None):
        return self.table.url(screen, key if screen in ("edit", "delete", "toggle") else None)

    def open(self, screen, key=None):
        """Request a screen with its method and data."""
        url = self.url(screen, key or self.own_key)
        if screen == "toggle":
            return self.client.post(url, {"field": "active", "value": "1"})
        if screen == "bulk":
            return self.client.post(url, {"action": "deactivate", "keys": [key or self.own_key]})
        return self.client.get(url)

    def writer(self):
        """Return a user who may write this table."""
        roles = self.table.roles.get("create", self.table.roles["list"])
        return self.alice if Role.ADMIN in roles else self.root

    # Roles

    def test_each_role_opens_its_screens_and_no_others(self):
        for role in (Role.SUPERADMIN, Role.ADMIN, Role.MAILBOX):
            self.sign_in(self.get_user_of_role(role))
            for screen, roles in self.table.roles.items():
                with self.subTest(role=role, screen=screen):
                    status = self.open(screen).status_code
                    if role in roles:
                        self.assertIn(status, (200, 302))
                    else:
                        self.assertEqual(status, 403)

    def test_anonymous_visitors_are_redirected_to_login(self):
        for screen in self.table.roles:
            with self.subTest(screen=screen):
                response = self.open(screen)
                self.assertEqual(response.status_code, 302)
                self.assertTrue(response["Location"].startswith("/login/"))

    def test_a_forbidden_page_does_not_sign_the_user_out(self):
        self.sign_in(self.bob)
        self.assertEqual(self.open("list").status_code, 403)
        self.assertEqual(self.client.get("/").status_code, 200)

    # Scope

    def test_a_list_shows_own_rows_only(self):
        if Role.ADMIN not in self.table.roles["list"]:
            self.skipTest("no list for domain admins")
        self.sign_in(self.alice)
        response = self.open("list")
        self.assertContains(response, self.own_key)
        self.assertNotContains(response, self.foreign_key)
        exported = b"".join(self.client.get(self.url("export"))).decode()
        self.assertNotIn(self.foreign_key, exported)

    def test_a_foreign_row_is_not_found(self):
        for screen in ("edit", "delete", "toggle"):
            if Role.ADMIN not in self.table.roles.get(screen, Role.MAILBOX):
                continue
            with self.subTest(screen=screen):
                self.sign_in(self.alice)
                self.assertEqual(self.open(screen, self.foreign_key).status_code, 404)
                answer = self.client.post(self.url(screen, self.foreign_key), self.edit_data or {})
                self.assertEqual(answer.status_code, 404)

    def test_foreign_rows_cannot_be_selected(self):
        if Role.ADMIN not in self.table.roles.get("bulk", Role.MAILBOX):
            self.skipTest("no bulk actions for domain admins")
        self.sign_in(self.alice)
        data = {"action": "delete", "keys": [self.foreign_key], "confirmed": "1"}
        self.client.post(self.url("bulk"), data)
        self.assertTrue(self.table.model._default_manager.filter(pk=self.foreign_key).exists())

    # Writing

    def test_a_row_is_created_and_logged(self):
        if "create" not in self.table.roles:
            self.skipTest("rows cannot be created")
        self.sign_in(self.writer())
        response = self.client.post(self.url("create"), self.create_data)
        self.assertEqual(response.status_code, 302, getattr(response, "content", b"")[-3000:])
        self.assertTrue(self.table.model._default_manager.filter(pk=self.created_key).exists())
        self.assertIn(self.create_verb, [action for action, _domain, _data in self.logged()])
        key = self.change_key(self.created_key)
        change = Change.objects.get(verb="create", key=key, table=self.change_table)
        self.assertIn(self.writer().username, change.actor)

    def test_a_row_is_edited_and_logged(self):
        if "edit" not in self.table.roles:
            self.skipTest("rows cannot be edited")
        self.sign_in(self.writer())
        page = self.client.get(self.url("edit", self.own_key))
        seen = page.context["form"].initial["seen"]
        response = self.client.post(self.url("edit", self.own_key), self.edit_data | {"seen": seen})
        self.assertEqual(response.status_code, 302, getattr(response, "content", b"")[-3000:])
        row = self.table.model._default_manager.get(pk=self.own_key)
        for name, value in self.edited.items():
            self.assertEqual(getattr(row, name), value)
        key = self.change_key(self.own_key)
        self.assertTrue(Change.objects.filter(verb="edit", key=key, table=self.change_table))

    def test_an_edit_of_a_row_changed_meanwhile_is_refused(self):
        if "edit" not in self.table.roles:
            self.skipTest("rows cannot be edited")
        self.sign_in(self.writer())
        response = self.client.post(
            self.url("edit", self.own_key), self.edit_data | {"seen": "of another day"}
        )
        self.assert_refused(response, "changed this in the meantime")
        self.assertFalse(Change.objects.filter(verb="edit").exists())

    def test_a_row_is_deleted_and_logged(self):
        if "delete" not in self.table.roles:
            self.skipTest("rows cannot be deleted")
        key = self.delete_key or self.own_key
        self.sign_in(self.writer())
        self.assertContains(self.client.get(self.url("delete", key)), "Delete")
        response = self.client.post(self.url("delete", key))
        self.assertEqual(response.status_code, 302)
        self.assertFalse(self.table.model._base_manager.filter(pk=key).exists())
        self.assertIn(self.delete_verb, [action for action, _domain, _data in self.logged()])
        records = Change.objects.filter(verb="delete", table=self.change_table)
        self.assertTrue(records.filter(key=self.change_key(key)))

    def test_a_flag_is_set_by_post_only(self):
        if "toggle" not in self.table.roles:
            self.skipTest("no toggles")
        self.sign_in(self.writer())
        url = self.url("toggle", self.own_key)
        self.assertEqual(self.client.get(url).status_code, 405)
        for _twice in range(2):
            self.client.post(url, {"field": "active", "value": "0"})
            row = self.table.model._default_manager.get(pk=self.own_key)
            self.assertFalse(row.active)

    def test_selected_rows_are_deactivated_after_one_confirmation(self):
        if "bulk" not in self.table.roles or "active" not in self.table.toggles:
            self.skipTest("rows cannot be deactivated")
        self.sign_in(self.writer())
        data = {"action": "deactivate", "keys": [self.own_key]}
        self.assertEqual(self.client.post(self.url("bulk"), data).status_code, 200)
        row = self.table.model._default_manager.get(pk=self.own_key)
        self.assertTrue(row.active)
        self.client.post(self.url("bulk"), data | {"confirmed": "1"})
        row.refresh_from_db()
        self.assertFalse(row.active)

    # The API

    api_data = {}  # values of a new row that differ from those of the form
    api_edited = {}

    def sent_row(self):
        row = {name: value == "on" or value for name, value in self.create_data.items()}
        return {name: value for name, value in row.items() if name != "password2"} | self.api_data

    def changed_row(self):
        return self.edited | self.api_edited

    def test_the_api_lists_own_rows_only(self):
        if Role.ADMIN not in self.table.roles["list"]:
            self.assertEqual(self.api(self.alice).get(self.table.slug).status_code, 403)
            return
        answer = self.api(self.alice).get(self.table.slug)
        self.assertEqual(answer.status_code, 200)
        self.assertContains(answer, self.own_key)
        self.assertNotContains(answer, self.foreign_key)

    def test_a_foreign_row_is_not_found_by_the_api(self):
        program = self.api(self.alice)
        may = Role.ADMIN in self.table.roles["list"]
        for method, screen in (("get", "list"), ("patch", "edit"), ("delete", "delete")):
            if screen in self.table.roles:
                with self.subTest(method=method):
                    body = {} if method == "patch" else None
                    answer = program.request(method, f"{self.table.slug}/{self.foreign_key}", body)
                    allowed = may and Role.ADMIN in self.table.roles[screen]
                    self.assertEqual(answer.status_code, 404 if allowed else 403)
                    self.assertEqual(answer["Content-Type"], "application/problem+json")

    def test_requests_without_a_token_are_rejected(self):
        for method in ("get", "post", "patch", "delete", "put", "options"):
            for place in (self.table.slug, f"{self.table.slug}/{self.own_key}"):
                answer = getattr(Client(), method)(f"/api/v1/{place}")
                self.assertIn(answer.status_code, (401, 405), (method, place))

    def test_the_api_creates_a_row_and_logs_it(self):
        if "create" not in self.table.roles:
            self.assertEqual(self.api(self.root).post(self.table.slug, {}).status_code, 405)
            return
        program = self.api(self.writer())
        Log.objects.all().delete()
        answer = program.post(self.table.slug, self.sent_row())
        self.assertEqual(answer.status_code, 201, answer.content)
        self.assertTrue(self.table.model._default_manager.filter(pk=self.created_key).exists())
        self.assertIn(self.create_verb, [action for action, _domain, _data in self.logged()])
        there = program.get(f"{self.table.slug}/{self.created_key}")
        self.assertEqual((there.json(), there["ETag"]), (answer.json(), answer["ETag"]))
        self.assertEqual(self.client.get(answer["Location"]).status_code, 401)
        again = program.post(self.table.slug, self.sent_row())
        self.assertEqual(again.status_code, 409, again.content)

    def test_a_patch_changes_the_given_columns_only(self):
        if "edit" not in self.table.roles:
            self.skipTest("rows cannot be edited")
        program, place = self.api(self.writer()), f"{self.table.slug}/{self.own_key}"
        before = program.get(place).json()
        answer = program.patch(place, self.changed_row())
        self.assertEqual(answer.status_code, 200, answer.content)
        different = {name for name, value in answer.json().items() if value != before[name]}
        self.assertEqual(different - {"modified"}, set(self.changed_row()))
        back = program.patch(place, answer.json())
        self.assertEqual((back.status_code, back.json()), (200, answer.json()))

    def test_a_stale_etag_changes_nothing(self):
        if "edit" not in self.table.roles:
            self.skipTest("rows cannot be edited")
        program, place = self.api(self.writer()), f"{self.table.slug}/{self.own_key}"
        tag = program.get(place)["ETag"]
        program.patch(place, self.changed_row())
        count = Change.objects.count()
        for method, body in (("patch", self.changed_row()), ("delete", None)):
            answer = program.request(method, place, body, headers={"If-Match": tag})
            self.assertEqual(answer.status_code, 412)
        self.assertEqual(Change.objects.count(), count)

    def test_the_api_deletes_a_row(self):
        if "delete" not in self.table.roles:
            self.skipTest("rows cannot be deleted")
        key = self.delete_key or self.own_key
        program = self.api(self.writer())
        tag = program.get(f"{self.table.slug}/{key}")["ETag"]
        answer = program.delete(f"{self.table.slug}/{key}", headers={"If-Match": tag})
        self.assertEqual(answer.status_code, 204, answer.content)
        self.assertFalse(self.table.model._base_manager.filter(pk=key).exists())
        self.assertEqual(program.get(f"{self.table.slug}/{key}").status_code, 404)

    def test_unknown_fields_are_reported(self):
        if "create" not in self.table.roles:
            self.skipTest("rows cannot be created")
        program = self.api(self.writer())
        answer = program.post(self.table.slug, self.sent_row() | {"nonsense": 1, "seen": "x"})
        self.assertEqual(answer.status_code, 422)
        self.assertEqual(set(answer.json()["errors"]), {"nonsense", "seen"})
        self.assertFalse(self.table.model._default_manager.filter(pk=self.created_key).exists())

    def test_the_api_creates_all_rows_or_none(self):
        if "create" not in self.table.roles:
            self.skipTest("rows cannot be created")
        program, row = self.api(self.writer()), self.sent_row()
        answer = program.post(self.table.slug, [row, row])
        self.assertEqual(answer.status_code, 422, answer.content)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertFalse(self.table.model._default_manager.filter(pk=self.created_key).exists())
        answer = program.post(self.table.slug, [row])
        self.assertEqual((answer.status_code, len(answer.json()["items"])), (201, 1))

    # Cost

    def more_rows(self, count):
        """Create this many more rows in alice's domain."""
        raise NotImplementedError

    def test_a_list_costs_the_same_for_one_row_and_for_fifty(self):
        person = self.sign_in(self.writer())
        self.open("list")  # warms caches of the process
        few = self.queries_of_list()
        self.more_rows(49)
        self.sign_in(type(person).objects.get(pk=person.pk))
        many = self.queries_of_list()
        # A list of several pages asks for the number of its rows: a tally, or cached statistics.
        self.assertIn(many - few, range(3))
        self.assertLessEqual(many, 10)

    def queries_of_list(self):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.open("list").status_code, 200)
        return len(captured)
