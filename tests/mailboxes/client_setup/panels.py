"""The panel behind gunicorn, as mail programs reach it."""

import http.client
import sys

from django.db import connection

from mailadmin.conf import BASE_DIR
from tests.legacy_databases import environment
from tests.servers import Server, free_port


def request_document(client, method, path, host, body=None, **headers):
    """Return the answer to one request and its body; None if nobody listens."""
    try:
        client.request(method, path, body, {"Host": host} | headers)
        answer = client.getresponse()
        return answer, answer.read()
    except OSError:
        return None, b""
    finally:
        client.close()


class Panel(Server):
    """gunicorn as the service runs it, on the tests' database."""

    def run(self, request, **settings):
        self.port = free_port()
        environ = environment(
            MAILADMIN_DATABASE_URL=get_database_url(request),
            MAILADMIN_BIND=f"127.0.0.1:{self.port}",
            GUNICORN_CMD_ARGS="--workers 1 --threads 2",
            **settings,
        )
        arguments = ("-m", "gunicorn", "--config", BASE_DIR / "deploy/gunicorn.conf.py")
        self.start(sys.executable, *arguments, cwd=BASE_DIR, env=environ)
        self.wait_until(lambda: self.ask("GET", "/healthz", "127.0.0.1")[0] == 200)
        return self

    def ask(self, *arguments, **headers):
        """Return the status and the body of an answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        answer, body = request_document(client, *arguments, **headers)
        return answer.status if answer else 0, body


def get_database_url(request):
    """Return the URL of the tests' database."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite://{name}"
    return request.getfixturevalue("mariadb").url(name)
