"""Valid and invalid requests generated from the API's schema: each response is documented."""

import os

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from domains.models import Admin
from mailadmin.api.document import OPENAPI_PATH
from mailadmin.api.tokens import create_token, generate_token
from mailadmin.changes.perform import Actor, perform
from mailadmin.wsgi import application
from tests.base import build_world

EXAMPLES = int(os.environ.get("MAILADMIN_TEST_FUZZ", "15"))  # of each operation
# A schema cannot express rules across rows. The token is sent with each call, so responses
# without one are tested elsewhere.
NOT_ASKED = [ignored_auth, positive_data_acceptance]
schema = schemathesis.openapi.from_path(OPENAPI_PATH)
schema.app = application
schema.config.generation.update(with_security_parameters=False)  # the token is sent each time


@schema.hook
def filter_query(context, query):
    """Refuse empty lists and objects, which no URL can express: they would not be sent."""
    return not any(value in ([], {}) for value in (query or {}).values())


@pytest.fixture(params=["root@example.net", "alice@example.org"])
def token(request, transactional_db, settings):
    """A token with all rights of root or alice."""
    settings.MAILADMIN_API_RATE = 0
    build_world()
    owner, text = Admin.objects.get(pk=request.param), generate_token()
    perform(Actor.console(), create_token, owner, {"name": "fuzz", "domains": []}, text)
    return text


@pytest.mark.mariadb
@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_response_is_documented_in_the_schema(case, token):
    answer = case.call(headers={"Authorization": f"Bearer {token}"}, app=application)
    case.validate_response(answer, excluded_checks=NOT_ASKED)
