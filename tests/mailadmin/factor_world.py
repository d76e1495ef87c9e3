"""People with second factors."""

from django.test import Client, override_settings

from tests.authenticator import Authenticator
from tests.base import PASSWORD
from tests.mailadmin.login_world import LoginWorld

URL = "https://mail.example.net"
JSON = {"Accept": "application/json"}


@override_settings(MAILADMIN_URL=URL)
class FactorWorld(LoginWorld):
    def people(self):
        return self.root, self.alice, self.bob

    def client_of(self, person, **data):
        """Return a client in which this person has signed in by their password."""
        client = Client()
        self.log_in(person.pk, client=client, **data)
        return client

    def set_up_totp(self, client):
        """Set up an authenticator app; return its secret and the recovery codes."""
        client.get("/account/factors/totp/")
        secret = client.session["mailadmin_totp"]
        response = client.post("/account/factors/totp/", {"code": self.code_of(secret)})
        context = response.context or {}
        return secret, context.get("codes", [])

    def add_passkey(self, client, name="Laptop", **options):
        """Add a passkey; return its authenticator."""
        authenticator = Authenticator(**options)
        page = client.get("/account/factors/passkeys/add/")
        answer = authenticator.create(page.context["options"])
        data = {"name": name, "credential": answer}
        client.post("/account/factors/passkeys/add/", data)
        return authenticator

    def sign_in_by_passkey(self, authenticator, client=None, **changes):
        client = client or Client()
        options = client.get("/login/passkey/", headers=JSON).content
        data = {"credential": authenticator.get(options, **changes)}
        return client, client.post("/login/passkey/", data)

    def pass_time(self, client, seconds=601):
        """Make the last proof of a session older."""
        session = client.session
        session["mailadmin_proof"] -= seconds
        session.save()

    def confirm(self, client, password=PASSWORD, target=""):
        return client.post("/account/confirm/", {"password": password, "next": target})
