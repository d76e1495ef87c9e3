"""Print the panel's responses while MariaDB stops and starts again.

Run as `python -m tests.database_outage`.
"""

import io
import json
import os

from tests import servers


def main():
    with servers.MariaDB() as server:
        os.environ |= {
            "MAILADMIN_ENV_FILE": "/dev/null",
            "MAILADMIN_DATABASE_URL": server.client.url(),
            "MAILADMIN_SECRET_KEY": "for tests and for nothing else but tests, so long as it is",
            "DJANGO_SETTINGS_MODULE": "mailadmin.settings",
        }
        application = panel()
        answers = [get_page(application)]
        server.stop(keep=True)
        answers += [get_page(application), get_page(application)]
        server._run()
        answers += [get_page(application), get_page(application)]
        print(json.dumps(answers))


def panel():
    import django

    django.setup()
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    return get_wsgi_application()


def get_page(application):
    """Request a page with a session cookie, which requires a query."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/domains/",
        "HTTP_COOKIE": "mailadmin_session=abcdefghijklmnopqrstuvwxyz012345",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }
    answer = {}

    def start_response(status, headers):
        answer["status"], answer["retry"] = status, dict(headers).get("Retry-After")

    body = b"".join(application(environ, start_response)).decode()
    return answer | {"says_so": "The database does not answer" in body}


if __name__ == "__main__":
    main()
