"""Common behaviour of all API views: methods, headers, JSON, problems, types."""

from unittest import mock

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, OperationalError
from django.http import Http404
from django.test import Client, RequestFactory, SimpleTestCase, override_settings

from mailadmin.api.field_types import FieldType, find_row_errors
from mailadmin.api.parsers import parse_json_body
from mailadmin.api.problems import ApiProblem, handle_exception
from mailadmin.api.responses import empty_response, json_response
from tests.base import World

PROBLEM = "application/problem+json"


class ProtocolTests(World):
    def setUp(self):
        self.program = self.api(self.alice)

    def assert_problem(self, response, status, title):
        self.assertEqual(response.status_code, status)
        self.assertEqual(response["Content-Type"], PROBLEM)
        self.assertEqual(response.json(), {"status": status, "title": title})

    def test_a_request_without_a_token_is_unauthorized(self):
        response = Client().get("/api/v1/mailboxes")
        self.assert_problem(response, 401, "Authentication credentials were not provided.")
        self.assertEqual(response["WWW-Authenticate"], 'Bearer realm="mailadmin"')
        self.assertEqual(response["Allow"], "GET, POST, PATCH, HEAD")

    def test_an_unknown_method_is_refused_before_authentication(self):
        for method in ("put", "options", "trace"):
            response = getattr(Client(), method)("/api/v1/mailboxes")
            self.assert_problem(response, 405, f'Method "{method.upper()}" not allowed.')
            self.assertEqual(response["Allow"], "GET, POST, PATCH, HEAD")
        response = self.program.request("post", "log", {})
        self.assert_problem(response, 405, 'Method "POST" not allowed.')
        self.assertEqual(response["Allow"], "GET, HEAD")

    def test_head_is_get_without_a_body(self):
        got = self.program.get("mailboxes/bob@example.org")
        head = self.program.request("head", "mailboxes/bob@example.org")
        self.assertEqual((head.status_code, head.content), (200, b""))
        for name in ("ETag", "Content-Type", "Content-Length", "Allow"):
            self.assertEqual(head[name], got[name])

    def test_a_table_closed_to_the_role_is_forbidden(self):
        title = "You do not have permission to perform this action."
        self.assert_problem(self.program.get("admins"), 403, title)

    @override_settings(MAILADMIN_API_RATE=1)
    def test_too_many_requests_have_a_retry_after_header(self):
        self.program.get("log")
        response = self.program.get("log")
        seconds = response["Retry-After"]
        title = f"Too many requests. Try again in {seconds} seconds."
        self.assert_problem(response, 429, title)

    def test_an_unknown_host_is_a_problem(self):
        response = Client().get("/api/v1/mailboxes", headers={"Host": "evil.example"})
        self.assert_problem(response, 400, "Bad request")

    def test_an_internal_error_is_a_problem_and_logged(self):
        client = Client(raise_request_exception=False)
        broken = mock.patch("mailadmin.api.base.authenticate", side_effect=ValueError("secret"))
        with broken, self.assertLogs("django.request", "ERROR") as logs:
            response = client.get("/api/v1/mailboxes")
        self.assert_problem(response, 500, "Something went wrong")
        self.assertIn("ValueError", logs.output[0])

    def test_an_outage_outside_of_the_view_is_a_problem(self):
        client = Client(raise_request_exception=False)
        error = OperationalError(2006, "Server has gone away")
        broken = mock.patch("mailadmin.api.base.ApiView.dispatch", side_effect=error)
        with broken, self.assertLogs("mailadmin", "ERROR"):
            response = client.get("/api/v1/mailboxes")
        self.assertEqual((response.status_code, response["Content-Type"]), (503, PROBLEM))
        self.assertIn("Retry-After", response)

    def test_a_content_type_other_than_json_is_refused(self):
        response = self.program.client.post("/api/v1/mailboxes", "x", content_type="text/plain")
        self.assert_problem(response, 415, 'Unsupported media type "text/plain" in request.')

    def test_an_empty_body_is_an_empty_object_for_any_type(self):
        response = self.program.client.post("/api/v1/mailboxes", "", content_type="text/plain")
        self.assertEqual(response.status_code, 422)
        self.assertIn("local_part", response.json()["errors"])

    def test_a_row_without_a_body(self):
        row = {"local_part": "x", "domain": "example.org", "goto": ["bob@example.org"]}
        self.program.post("aliases", row)
        response = self.program.delete("aliases/x@example.org")
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assertFalse(response.has_header("Content-Type"))

    def test_a_csrf_cookie_is_not_needed(self):
        self.program.client.handler.enforce_csrf_checks = True
        self.assertEqual(self.program.delete("aliases/info@example.org").status_code, 204)


class ParserTests(SimpleTestCase):
    def parse(self, body, content_type="application/json"):
        request = RequestFactory().post("/", body, content_type=content_type)
        return parse_json_body(request)

    def test_json(self):
        self.assertEqual(self.parse('{"ж": [1, 2.5, null]}'.encode()), {"ж": [1, 2.5, None]})
        self.assertEqual(self.parse(b"[]", "Application/JSON ; charset=utf-8"), [])

    def test_json_extensions_of_python_are_refused(self):
        for body in (b"NaN", b'{"a": Infinity}', b"[-Infinity]"):
            with self.assertRaises(ApiProblem) as raised:
                self.parse(body)
            self.assertEqual(raised.exception.status, 400)
            self.assertIn("JSON parse error - Out of range", raised.exception.title)

    def test_broken_json(self):
        for body in (b"{", b"\xff", b"\xef\xbb\xbf{}", b"{} x", b"'x'", b"9" * 5000):
            with self.assertRaises(ApiProblem) as raised:
                self.parse(body)
            self.assertEqual(raised.exception.status, 400)

    def test_an_incomplete_body_is_refused(self):
        request = RequestFactory().post("/", b"", content_type="application/json")
        self.assertEqual(parse_json_body(request), {})
        request.META |= {"CONTENT_LENGTH": "10", "CONTENT_TYPE": "application/json"}
        with self.assertRaises(ApiProblem) as raised:
            parse_json_body(request)
        self.assertEqual(raised.exception.status, 400)


class ResponseTests(SimpleTestCase):
    def test_json_is_compact_utf8_that_javascript_can_read(self):
        response = json_response({"name": "Bücher \u2028", "n": [1, 2]})
        self.assertEqual(response.content, '{"name":"Bücher \\u2028","n":[1,2]}'.encode())
        self.assertEqual(response["Content-Type"], "application/json")

    def test_values_that_json_cannot_represent_raise(self):
        for value in (float("nan"), object()):
            with self.assertRaises((ValueError, TypeError)):
                json_response(value)

    def test_an_empty_response_has_no_type(self):
        self.assertNotIn("Content-Type", empty_response(304, {"ETag": '"x"'}).headers)


class ProblemTests(SimpleTestCase):
    def test_errors_that_concern_programs(self):
        for error, status in (
            (Http404(), 404),
            (PermissionDenied(), 403),
            (ApiProblem(409, "x"), 409),
        ):
            self.assertEqual(handle_exception(error).status_code, status)

    def test_internal_errors_are_not_turned_into_problems(self):
        for error in (ValueError("x"), OSError(5, "x"), DatabaseError("x")):
            self.assertIsNone(handle_exception(error))


TYPES = {
    "text": FieldType("string", max_length=3),
    "flag": FieldType("boolean"),
    "count": FieldType("integer", minimum=0, maximum=5),
    "size": FieldType("number", minimum=-1),
    "names": FieldType("array"),
}


class FieldTypeTests(SimpleTestCase):
    def test_values_of_their_types(self):
        row = {"text": "abc", "flag": False, "count": 5, "size": -1, "names": ["x"], "other": {}}
        self.assertEqual(find_row_errors(TYPES, row), {})
        self.assertEqual(find_row_errors(TYPES, {"text": "", "size": 0.5, "names": []}), {})

    def test_wrong_types(self):
        for name, values in {
            "text": (7, True, [], {}),
            "flag": (0, 1, "true", []),
            "count": (1.0, True, "1", []),
            "size": (True, "1", {}),
            "names": ("x", {}, 7, [7], [["x"]], [True]),
        }.items():
            for value in values:
                (error,) = find_row_errors(TYPES, {name: value})[name]
                self.assertTrue(error.startswith("This must be"), (name, value))

    def test_values_out_of_bounds(self):
        for name, value, text in (
            ("text", "abcd", "Ensure this field has no more than 3 characters."),
            ("text", "\0", "Null characters are not allowed."),
            ("text", "\ud800", "Surrogate characters are not allowed: U+D800."),
            ("count", 6, "Ensure this value is less than or equal to 5."),
            ("count", -1, "Ensure this value is greater than or equal to 0."),
            ("size", float("inf"), "A valid number is required."),
            ("size", 10**400, "Integer value too large to convert to float"),
            ("names", [" "], "This field may not be blank."),
            ("names", [None], "This field may not be null."),
            ("flag", None, "This field may not be null."),
        ):
            self.assertEqual(find_row_errors(TYPES, {name: value}), {name: [text]})

    def test_values_that_are_not_rows_are_refused(self):
        text = "Invalid data. Expected a dictionary, but got int."
        self.assertEqual(find_row_errors(TYPES, 7), {"": [text]})
        self.assertEqual(find_row_errors(TYPES, None), {"": ["No data provided"]})
