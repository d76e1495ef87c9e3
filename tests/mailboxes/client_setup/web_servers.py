"""nginx and Apache with the files of `deploy/`, adapted to the ports and folders of a test."""

import atexit
import http.client
from functools import cache

from mailadmin.conf import BASE_DIR
from tests import packages
from tests.dovecot_server import make_certificate, unverified
from tests.mailboxes.client_setup.panels import request_document
from tests.programs import RELEASES
from tests.releases import own
from tests.servers import Server, free_port

# The programs and what they need besides the libraries that every machine of the tests has.
PACKAGES = {
    "12": ("nginx", "apache2-bin", "libapr1", "libaprutil1"),
    "13": ("nginx", "apache2-bin", "libapr1t64", "libaprutil1t64"),
}
NGINX = """
daemon off;
user root;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
APACHE_MODULES = "mpm_event authz_core alias headers proxy proxy_http deflate filter setenvif ssl"
APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/log
User nobody
Group nogroup
Define APACHE_LOG_DIR {folder}
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
{modules}
Include {folder}/site.conf
"""


@cache
def unpacked():
    """Return a folder with both programs, unpacked from Debian's packages."""
    server = Server()
    atexit.register(server.stop)
    packages.unpack(PACKAGES[own()], server.folder)
    return server.folder / "usr"


def is_known_release():
    return own() in PACKAGES and own() in RELEASES


class WebServer(Server):
    """One of the two, in front of a panel."""

    def run(self, panel):
        self.folder.chmod(0o755)
        self.ports = {"http": free_port(), "https": free_port()}
        self.certificate = make_certificate(self.folder)
        (self.folder / "site.conf").write_text(self.adapt(panel.port))
        self.begin()
        self.wait_until(lambda: self.ask("http", "GET", "/", "x")[0])
        return self

    def adapt(self, port):
        raise NotImplementedError

    def begin(self):
        raise NotImplementedError

    def ask(self, scheme, *arguments, **headers):
        port, options = self.ports[scheme], {"timeout": 20}
        if scheme == "https":
            client = http.client.HTTPSConnection("127.0.0.1", port, context=unverified(), **options)
        else:
            client = http.client.HTTPConnection("127.0.0.1", port, **options)
        return request_document(client, *arguments, **headers)


class Nginx(WebServer):
    def adapt(self, port):
        text = (BASE_DIR / "deploy/nginx.conf").read_text()
        # As the comments say, with a certificate for the names of documents.
        for line in ("listen 443 ssl;", "ssl_certificate ", "ssl_certificate_key "):
            assert f"    # {line}" in text
            text = text.replace(f"    # {line}", f"    {line}")
        lines = [line for line in text.splitlines() if "listen [::]" not in line]
        text = "\n".join(lines).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.ports['http']};")
        text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{self.ports['https']} ssl;")
        for name in ("panel.example.org", "autoconfig"):
            for file in ("fullchain.pem", "privkey.pem"):
                text = text.replace(f"/etc/letsencrypt/live/{name}/{file}", self.certificate)
        return text.replace("/var/log/nginx", str(self.folder))

    def begin(self):
        path = self.folder / "nginx.conf"
        path.write_text(NGINX.format(folder=self.folder))
        self.start(unpacked() / "sbin/nginx", "-p", self.folder, "-c", path)

    def command(self, name):
        return str(name)


class Apache(WebServer):
    def adapt(self, port):
        text = (BASE_DIR / "deploy/apache.conf").read_text()
        documents = text[text.rindex("<VirtualHost *:80>") :]
        lines = [line for line in text.splitlines(keepends=True) if line.strip().startswith("SSL")]
        # As the comment says, the same with a certificate for these names.
        secure = documents.replace("*:80>", "*:443>").replace('"http"', '"https"')
        secure = secure.replace("    ServerAlias", f"{''.join(lines)}    ServerAlias")
        text = (text + secure).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        text = text.replace("*:80>", f"*:{self.ports['http']}>")
        text = text.replace("*:443>", f"*:{self.ports['https']}>")
        for file in ("fullchain.pem", "privkey.pem"):
            name = f"/etc/letsencrypt/live/panel.example.org/{file}"
            text = text.replace(name, self.certificate)
        return text

    def begin(self):
        modules = unpacked() / "lib/apache2/modules"
        lines = [
            f"LoadModule {name}_module {modules}/mod_{name}.so" for name in APACHE_MODULES.split()
        ]
        path = self.folder / "apache.conf"
        values = {"folder": self.folder, "modules": "\n".join(lines), **self.ports}
        path.write_text(APACHE.format(**values))
        libraries = {str(file.parent) for file in unpacked().rglob("libapr*-1.so.0")}
        self.start(
            unpacked() / "sbin/apache2",
            *("-DFOREGROUND", "-f", path),
            env={"LD_LIBRARY_PATH": ":".join(libraries)},
        )

    def command(self, name):
        return str(name)
