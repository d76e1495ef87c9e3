"""An OpenID Connect provider: idpyoidc, a certified implementation, behind Python's HTTP server.

It knows nothing of the panel's own library, and is strict about what the panel sends: the secret,
PKCE with S256, the redirect URI, each code once.
"""

import json
import logging
import threading
import time
from contextlib import contextmanager, suppress
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptojwt.jwt import JWT
from cryptojwt.key_jar import init_key_jar
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.user_authn.user import NoAuthn

CLIENT_ID, CLIENT_SECRET = "panel", "the-secret-of-the-panel"
VERIFY_PATH = "verify_logout"
ENDPOINTS = {
    "provider_config": (
        ".well-known/openid-configuration",
        "provider_config.ProviderConfiguration",
        {"client_authn_method": None},
    ),
    "authorization": (
        "authorization",
        "authorization.Authorization",
        {"client_authn_method": None, "response_types_supported": ["code"]},
    ),
    "token": (
        "token",
        "token.Token",
        {"client_authn_method": ["client_secret_post", "client_secret_basic"]},
    ),
    "userinfo": ("userinfo", "userinfo.UserInfo", {}),
    "session": (
        "session",
        "session.Session",
        {"post_logout_uri_path": "post_logout", "signing_alg": "RS256"},
    ),
}
KEYS = [{"type": "RSA", "use": ["sig"]}, {"type": "EC", "crv": "P-256", "use": ["sig"]}]
TOKEN_KEYS = {
    "key_defs": [{"type": "oct", "bytes": "24", "use": ["enc"], "kid": "code"}],
    "private_path": "",  # no file
}
COOKIE_KEYS = {
    "key_defs": [
        {"type": "OCT", "use": ["enc"], "kid": "enc"},
        {"type": "OCT", "use": ["sig"], "kid": "sig"},
    ]
}
SESSION_KEYS = {
    "key_defs": [
        {"type": "OCT", "use": ["enc"], "kid": "password"},
        {"type": "OCT", "use": ["enc"], "kid": "salt"},
    ]
}
SCOPES = {
    "openid": ["sub"],
    "email": ["email", "email_verified", "groups"],
    "profile": ["preferred_username", "xms_edov"],
}


def encrypter(keys):
    return {"encrypter": {"kwargs": {"keys": keys}}}


class OpenIDProvider:
    """A provider with one person, whose claims a test sets."""

    def __init__(self, port, panel="http://panel.test"):
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims, self.person = {}, "someone"
        self.is_down, self.requests = False, []
        self.changes, self.userinfo = {}, {}  # of its discovery document and claims
        self.moved_to = ""
        self.delay = self.trickle = 0  # seconds before an answer, and between its bytes
        configuration = OPConfiguration(self.configuration(), base_path="/nowhere")
        self.server = Server(configuration, key_conf={"key_defs": KEYS})
        self.context = self.server.context
        self.context.httpc_params = {"timeout": 10}
        self.context.cdb[CLIENT_ID] = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [(f"{panel}/login/oidc/callback/", {})],
            "post_logout_redirect_uri": [(f"{panel}/login/", {})],
            "response_types_supported": ["code"],
            "allowed_scopes": list(SCOPES),
        }
        self.server.keyjar.add_symmetric(CLIENT_ID, CLIENT_SECRET)
        # It expects a token of every client that it knows, even of one that sends a browser.
        self.server.get_endpoint("session").client_authentication = lambda *args, **kwargs: {}

    def configuration(self):
        folder = "idpyoidc.server.oidc."
        endpoints = {
            name: {"path": path, "class": folder + kind, "kwargs": dict(options)}
            for name, (path, kind, options) in ENDPOINTS.items()
        }
        endpoints["session"]["kwargs"]["logout_verify_url"] = f"{self.issuer}/{VERIFY_PATH}"
        pkce = {"essential": True, "code_challenge_methods": {"S256": ""}}
        return {
            "issuer": self.issuer,
            "endpoint": endpoints,
            "key_conf": {"key_defs": KEYS, "uri_path": "jwks.json"},
            "add_on": {
                "pkce": {
                    "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                    "kwargs": pkce,
                }
            },
            "authentication": {
                "anon": {
                    "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
                    "class": NoAuthn,
                    "kwargs": {"user": "someone"},
                }
            },
            "cookie_handler": {
                "class": "idpyoidc.server.cookie_handler.CookieHandler",
                "kwargs": {
                    "keys": COOKIE_KEYS,
                    "name": {"session": "op", "register": "op_rp", "session_management": "op_sm"},
                },
            },
            "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": {}}},
            "token_handler_args": {
                "jwks_def": TOKEN_KEYS,
                "code": {"kwargs": {"lifetime": 600}},
                "token": {
                    "class": "idpyoidc.server.token.jwt_token.JWTToken",
                    "kwargs": {"lifetime": 3600, "aud": ["https://example.org/appl"]},
                },
                "id_token": {
                    "class": "idpyoidc.server.token.id_token.IDToken",
                    "kwargs": {"add_claims_by_scope": True},
                },
            },
            "session_params": encrypter(SESSION_KEYS),
            "scopes_to_claims": SCOPES,
        }

    def use_back_channel(self, panel):
        """Tell this panel from now on when somebody signs out."""
        self.context.cdb[CLIENT_ID]["backchannel_logout_uri"] = f"{panel}/login/oidc/logout/"

    def sign_in_as(self, address, verified=True, **claims):
        """Have the person signed in at the provider from now on with these claims."""
        self.claims = {"email": address, "email_verified": verified} | claims
        self.person = f"person of {address}"
        self.context.userinfo.db[self.person] = {"sub": self.person} | self.claims
        self.context.authn_broker["anon"]["method"].user = self.person

    def handle(self, name, text, cookies, headers, url):
        """Return what the endpoint answers: (response, headers, cookies)."""
        endpoint = self.server.get_endpoint(name)
        info = {"headers": headers, "url": url, "cookie": cookies}
        # The endpoint of sessions, unlike the others, takes no text.
        sent = dict(parse_qsl(text)) if name == "session" else text
        request = endpoint.parse_request(sent, http_info=info)
        if "error" in request:
            return {"error": dict(request)}
        arguments = endpoint.process_request(request, http_info=info)
        if "redirect_location" in arguments or "error" in arguments:
            return dict(arguments)
        return endpoint.do_response(request=request, **arguments)

    def sign(self, claims, lifetime=300, audience=CLIENT_ID, **options):
        """Return a token of these claims, signed by the provider's own key."""
        options = {"iss": self.issuer, "sign_alg": "RS256"} | options
        signer = JWT(self.server.keyjar, lifetime=lifetime, **options)
        signer.with_jti = True
        return signer.pack(payload=claims, recv=audience)

    def change_keys(self):
        """Sign by new keys from now on."""
        keyjar, keys = self.server.keyjar, init_key_jar(key_defs=KEYS).export_jwks(private=True)
        for owner in {"", self.issuer} & set(keyjar.owners()):
            del keyjar[owner]
            keyjar.import_jwks(keys, owner)

    def read(self, text):
        """Return the claims of a token that the provider has signed."""
        return self.server.get_endpoint("session").unpack_signed_jwt(text, "RS256")

    def log_out(self, sid):
        """End the session at the provider, which tells the panel by its back channel."""
        self.server.get_endpoint("session").do_verified_logout(sid, alla=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: OpenIDProvider

    def do_GET(self):
        self.answer(urlsplit(self.path).query)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def answer(self, text):
        provider, path = self.provider, urlsplit(self.path).path.strip("/")
        provider.requests.append(path)
        time.sleep(provider.delay)
        if provider.is_down:
            return self.send(503, "down")
        if provider.moved_to:
            return self.send(302, "", Location=provider.moved_to + self.path)
        if path == "jwks.json":
            return self.send(200, provider.server.keyjar.export_jwks_as_json())
        if path == VERIFY_PATH:
            return self.verify_logout(text)
        names = {endpoint: name for name, (endpoint, *_rest) in ENDPOINTS.items()}
        if path not in names:
            return self.send(204 if path == "favicon.ico" else 404, "")
        cookies = [
            {"name": name, "value": morsel.value}
            for name, morsel in SimpleCookie(self.headers.get("Cookie", "")).items()
        ]
        if "prompt=login" in text:  # the person signs in again at once
            text, cookies = text.replace("prompt=login", ""), []
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = provider.handle(names[path], text, cookies, headers, self.path)
        self.send_answer(names[path], answer)

    def send_answer(self, name, answer):
        if "error" in answer:
            return self.send(400, json.dumps(answer["error"]))
        if "redirect_location" in answer:
            return self.send(302, "", Location=answer["redirect_location"])
        cookies = answer.get("cookie", [])
        if name == "authorization":
            return self.send(302, "", cookies, Location=answer["response"])
        text = answer["response"]
        changes = {"provider_config": self.provider.changes, "userinfo": self.provider.userinfo}
        if name in changes:
            text = json.dumps(json.loads(text) | changes[name])
        return self.send(200, text, cookies)

    def verify_logout(self, text):
        """End the session as a person who confirms the page of a provider."""
        session = self.provider.server.get_endpoint("session")
        info = session.unpack_signed_jwt(parse_qs(text)["sjwt"][0])
        session.do_verified_logout(info["sid"], alla=True)
        self.send(302, "", Location=info["redirect_uri"])

    def send(self, status, text, cookies=(), **headers):
        body = text.encode() if isinstance(text, str) else json.dumps(text).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        for cookie in cookies:
            self.send_header("Set-Cookie", f"{cookie['name']}={cookie['value']}; Path=/")
        self.end_headers()
        self.write(body)

    def write(self, body):
        if not self.provider.trickle:
            return self.wfile.write(body)
        with suppress(OSError):
            for position in range(len(body)):
                self.wfile.write(body[position : position + 1])
                time.sleep(self.provider.trickle)

    def log_message(self, *arguments):
        pass


@contextmanager
def running_provider(panel="http://panel.test"):
    """Run a provider on a free port of loopback, for a panel at this address."""
    for name in ("idpyoidc", "cryptojwt"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    handler = type("ProviderHandler", (Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        handler.provider = OpenIDProvider(http.server_address[1], panel)
        thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield handler.provider
        finally:
            http.shutdown()
            thread.join()
