"""PostfixAdmin as Debian runs it, under nginx and php-fpm with opcache, on the same database."""

from dataclasses import dataclass, field

from tests import releases
from tests.bench import pages
from tests.bench.filling import FEW, LARGEST, NOBODY, OWNER, PASSWORD, ROOT
from tests.bench.visiting import Browser
from tests.postfixadmin import Fields, PostfixAdmin
from tests.programs import NEWEST, RELEASES
from tests.servers import Server

FPM = """
[global]
daemonize = no
error_log = {folder}/php.log
[www]
user = root
group = root
listen = {folder}/php.socket
pm = static
pm.max_children = 8
php_admin_value[session.save_path] = {folder}
php_admin_value[opcache.enable] = 1
php_admin_value[display_errors] = 0
php_admin_value[memory_limit] = 2G
"""
NGINX = r"""
user root;
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    fastcgi_read_timeout 600;
    fastcgi_buffers 64 32k;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        index index.php;
        location ~ \.php$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_pass unix:{folder}/php.socket;
        }}
    }}
}}
"""


class Php(Server):
    """php-fpm, for the folder of another server."""

    def __init__(self, folder):
        super().__init__()
        config = self.folder / "fpm.conf"
        config.write_text(FPM.format(folder=folder))
        self.start(
            RELEASES.get(releases.own(), NEWEST).php_fpm,
            "-R",
            "--nodaemonize",
            "--fpm-config",
            config,
        )
        self.wait_until((folder / "php.socket").exists)


class Served(PostfixAdmin):
    def serve(self):
        config = self.place / "config.local.php"
        rows = "$CONF['page_size'] = '50';\n?>"  # as many as ours shows
        config.write_text(config.read_text().replace("?>", rows))
        self.php = Php(self.folder)
        config = self.folder / "nginx.conf"
        places = {"folder": self.folder, "port": self.port, "root": self.place / "public"}
        config.write_text(NGINX.format(**places))
        self.start("nginx", "-c", config)

    def stop(self, keep=False):
        self.php.stop()
        super().stop(keep)


class Visitor(Browser):
    """A user who is signed in to PostfixAdmin."""

    def sign_in(self, name):
        if name == NOBODY:
            return self
        page = "/users/login.php" if name == OWNER else "/login.php"
        known = Fields(self.request("GET", page).body.decode()).sent
        body = {"fUsername": name, "fPassword": PASSWORD, "token": known["token"], "lang": "en"}
        answer = self.request("POST", page, body)
        if answer.status != 302:
            raise RuntimeError(f"PostfixAdmin did not let {name} in: {answer.status}")
        return self


@dataclass(frozen=True)
class Both:
    """The same request to both panels."""

    name: str  # of ours among `pages.PAGES`
    theirs: str
    person: str = ROOT
    body: dict = field(default_factory=dict)  # data of the POST
    ours: pages.Page | None = None  # where it is none of those


PAIRS = [
    Both("login, form", "/login.php", NOBODY),
    Both("home", "/main.php"),
    Both("domains", "/list.php?table=domain"),
    Both("mailboxes of the largest", f"/list-virtual.php?domain={LARGEST}"),
    Both("mailboxes of a usual domain", "/list-virtual.php?domain={usual}"),
    Both("search, rare part", f"/list-virtual.php?domain={LARGEST}&search[_]=ursula.sch"),
    Both("new domain, form", "/edit.php?table=domain"),
    Both("admins", "/list.php?table=admin"),
    Both("admin of many domains, form", "/edit.php?table=admin&edit=many@example.net"),
    Both("new mailbox, form", f"/edit.php?table=mailbox&domain={LARGEST}"),
    Both("mailbox, form", "/edit.php?table=mailbox&edit={mailbox}"),
    Both("new alias, form", f"/edit.php?table=alias&domain={LARGEST}"),
    Both("alias, form", "/edit.php?table=alias&edit=info@tiny.example"),
    Both("log", "/viewlog.php"),
    Both("own page", "/users/main.php", OWNER),
    Both("own forwarding", "/users/edit-alias.php", OWNER),
    Both("own vacation", "/users/vacation.php", OWNER),
    Both(
        "create a mailbox",
        f"/edit.php?table=mailbox&domain={LARGEST}",
        body={
            "value[local_part]": "their{n}",
            "value[domain]": LARGEST,
            "value[password]": PASSWORD,
            "value[password2]": PASSWORD,
            "value[name]": "Bench",
            "value[quota]": "10",
            "value[active]": "1",
        },
    ),
    Both(
        "edit an alias",
        "/edit.php?table=alias&edit=info@tiny.example",
        body={"value[goto]": "bob{n}@example.net"},
        ours=pages.create("edit an alias", f"/aliases/info@{FEW}/edit/", goto="al{n}@example.net"),
    ),
]


def request(browser, pair, places, number):
    """Return PostfixAdmin's response; for a form, that to the POST."""
    places = places | {"n": number}
    path = pair.theirs.format_map(places)
    if not pair.body:
        return good(browser.request("GET", path), path)
    known = Fields(good(browser.request("GET", path), path).body.decode()).sent
    body = known | {name: text.format_map(places) for name, text in pair.body.items()}
    answer = browser.request("POST", path, body)
    if answer.status != 302:
        raise RuntimeError(f"{path}: {answer.status} {answer.body.decode()[-3000:]}")
    return answer


def good(answer, path):
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {answer.headers.get('Location')}")
    return answer
