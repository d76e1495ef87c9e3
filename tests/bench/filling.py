"""Reproducible databases of known sizes: domains, admins, mailboxes, aliases, a log of years."""

import datetime
import re
from dataclasses import dataclass

from tests import legacy_databases

PASSWORD = "correct-horse-42"
ROOT, TEN, MANY = "root@example.net", "ten@example.net", "many@example.net"
TOKEN = "mailadmin_of_"  # and the name of an admin: a token with all their rights
LARGEST, FEW = "campus.example", "tiny.example"
OWNER = f"few@{FEW}"  # a mailbox whose owner signs in
NOBODY = "nobody"  # who is not signed in
BUSY = f"busy@{LARGEST}"  # the same, in the domain with the most rows and log lines
# The tables are in memory, as on a server that has been running for a day.


def words(text):
    return text.split()


TUNING = """
SET GLOBAL innodb_log_file_size = 512 * 1024 * 1024;
SET GLOBAL innodb_buffer_pool_size = {megabytes} * 1024 * 1024;
"""
MEMORY = 4096  # MB of it
GIVEN = words(
    """
    aaron abel ada adam agnes alan albert alice amelia amy andrew anna anton arthur ava ben bella
    boris bruno carl carla cecil chloe clara colin daisy dan daria david diana edgar edith elena
    eli emma eric eva felix fiona frank freya gail george gina grace greta hanna harry hector
    helen henry hugo ian ida igor ines iris ivan jack jana jane jason joel john julia karl kate
    kim klara lara leo lily linda louis lucy marc maria max mia milan nadia nina noah olga oscar
    otto paul petra quentin rosa ruth sam sara tara theo tom ursula vera victor walter wendy
    xenia yara yuri zelda zoe
"""
)
FAMILY = words(
    """
    abbott adler ahmed alvarez archer baker barnes bauer becker berg bishop black blum bond bright
    brooks carter castro chan clark cole conrad cook costa cruz dahl davis day dean diaz dixon
    doyle duarte dunn eaton ellis engel evans farrell fischer fleming flores ford fox frank garcia
    gibson gold gomez grant gray gross haas hale hall hansen hart hayes heinz hill holm horn hughes
    hunt ivanov jacobs jansen jensen jones kane keller kern khan king klein koch kowal kraus lang
    larsen lee lehmann lewis lind lopez ludwig maier mann marsh martin may meyer miles miller
    moore morgan moss murphy nash neal newman nolan novak ochoa olsen ortiz owens page park pavlov
    peck perez perry petrov pope porter price quinn ramos reed reyes rice rivera rossi roth rowe
    ruiz ryan santos sauer schmidt scott sharp shaw silva simon smirnov smith snow stark stein
    stone swan tanner todd torres tran turner ulrich unger vargas vogel wagner walsh ward watts
    weber west white wilde winter wolf wood wright yates york young zeller ziegler
"""
)
WORK = words(
    """
    accounts admin alerts backup billing board booking careers chef clients contact crew data
    design desk devices editor events facility finance garage guests help hiring hotline invoices
    it jobs kitchen legal letters library marketing media news newsletter office orders partners
    press privacy purchase quality reception returns safety sales school security service shop
    staff stock support team tickets tours training travel vendors visitors warehouse web yard
"""
)
PLACE = words(
    """
    alder amber apple arrow autumn beacon birch bridge brook cedar cliff cloud copper coral crown
    dawn delta eagle east elm ember falcon fern field forest garden glen granite harbor hazel
    hill iron island ivory jade juniper lake laurel lotus maple meadow mill moon north oak ocean
    olive opal orchard pearl pine prairie quartz rain raven reef ridge river rose sage silver
    spring star stone summit swan terra thistle valley violet west willow winter yellow zephyr
"""
)


@dataclass(frozen=True)
class Size:
    domains: int
    mailboxes: int
    largest: int  # mailboxes of the largest domain
    aliases: int  # besides those of the mailboxes
    lines: int  # of the log

    @property
    def mirrors(self):
        """Number of alias domains: a full page, or more."""
        return max(self.domains // 50, min(60, self.domains * 6 // 10))

    @property
    def admins(self):
        return max(2, self.domains // 2)


SIZES = {
    "XS": Size(120, 3_000, 400, 2_000, 10_000),
    "XS4": Size(480, 12_000, 1_600, 8_000, 40_000),
    "XSLOG": Size(120, 3_000, 400, 2_000, 500_000),
    "S": Size(100, 5_000, 500, 2_500, 10_000),
    "M": Size(1_000, 100_000, 20_000, 50_000, 200_000),
    "L": Size(10_000, 1_000_000, 100_000, 500_000, 2_000_000),
}
# Domain 0 is the largest. The last are alias domains, the one before them has hardly anything.
ROWS = """
SET unique_checks = 0, foreign_key_checks = 0;
CREATE TEMPORARY TABLE place (d INT PRIMARY KEY, domain VARCHAR(255))
    CHARACTER SET latin1 COLLATE latin1_general_ci;
INSERT INTO place SELECT seq, CASE seq WHEN 0 THEN '{LARGEST}' WHEN {few} THEN '{FEW}'
    ELSE CONCAT({place}, IF(seq < {places}, '', seq DIV {places}), '.example') END
FROM seq_0_to_{last_domain};

INSERT INTO domain (domain, description, aliases, mailboxes, maxquota, quota, transport, backupmx,
    created, modified, active, password_expiry)
SELECT domain, CONCAT('Customer ', d), IF(d % 3, 0, 500000), IF(d % 2, 0, 200000), 10240,
    IF(d % 5, 0, 1000000000), 'virtual', 0, {born}, {born}, d % 97 <> 96, IF(d % 4, 0, 365)
FROM place ORDER BY domain;

CREATE TEMPORARY TABLE person (username VARCHAR(255) PRIMARY KEY, person VARCHAR(255), n INT, d INT,
    domain VARCHAR(255), KEY (d, n)) CHARACTER SET latin1 COLLATE latin1_general_ci;
INSERT INTO person
SELECT CONCAT(person, '@', domain), person, n, d, domain FROM (
    SELECT CONCAT({given}, '.', {family}, IF(m < {people}, '', m DIV {people})) AS person, n, d
    FROM (
        SELECT d, n, IF(d = 0, n, n + d * 31 % {people}) AS m FROM (
            SELECT IF(seq < {largest}, 0, 1 + (seq - {largest}) % {usual}) AS d,
                IF(seq < {largest}, seq, (seq - {largest}) DIV {usual}) AS n
            FROM seq_0_to_{last_usual}
        ) AS numbers
    ) AS mixed
    UNION ALL SELECT 'few', 0, {few} UNION ALL SELECT 'some', 1, {few}
    UNION ALL SELECT 'busy', {largest}, 0
) AS people JOIN place USING (d) ORDER BY 1;

INSERT INTO mailbox (username, password, name, maildir, quota, local_part, domain, created,
    modified, active, password_expiry)
SELECT username, '{stored}',
    CONCAT(UPPER(LEFT(person, 1)), REPLACE(SUBSTRING(person, 2), '.', ' ')),
    CONCAT(domain, '/', person, '/'), (1 + n % 4) * 1024 * 1024000, person, domain, {born}, {born},
    (n + d) % 67 <> 66, '2038-01-01'
FROM person ORDER BY username;

INSERT INTO vacation (email, subject, body, cache, domain, created, active)
SELECT username, 'Out of office', 'I am away.', '', domain, {born}, 1
FROM person WHERE (n + d) % 101 = 100 ORDER BY username;

CREATE TEMPORARY TABLE entry (address VARCHAR(255) PRIMARY KEY, goto TEXT, domain VARCHAR(255),
    description VARCHAR(255), active INT) CHARACTER SET latin1 COLLATE latin1_general_ci;
INSERT INTO entry
SELECT username, CASE
    WHEN (n + d) % 101 = 100
        THEN CONCAT(REPLACE(username, '@', '#'), '@autoreply.localhost,', username)
    WHEN (n + d) % 23 = 22 THEN CONCAT(person, '@mail.example.net,', username)
    ELSE username END, domain, '', (n + d) % 67 <> 66
FROM person;
INSERT INTO entry
SELECT CONCAT(name, '@', domain), CONCAT(target, IF(n % 7, '', ',archive@example.net')), domain,
    IF(n % 3, '', CONCAT('Desk ', n)), n % 41 <> 40
FROM (
    SELECT CONCAT({work}, IF(n % 2, '', CONCAT('.', {given_of_n})),
        IF(n < {works}, '', n DIV {works})) AS name, n, d
    FROM (
        SELECT IF(seq < {in_largest}, 0, 1 + (seq - {in_largest}) % {usual}) AS d,
            IF(seq < {in_largest}, seq, (seq - {in_largest}) DIV {usual}) AS n
        FROM seq_0_to_{last_alias}
    ) AS numbers
    UNION ALL SELECT '', 0, d FROM place WHERE d % 20 = 19 AND d < {few}
    UNION ALL SELECT 'info', 1, {few}
) AS names JOIN place USING (d)
JOIN (SELECT d, username AS target FROM person WHERE n = 0) AS first USING (d);
INSERT INTO alias (address, goto, domain, created, modified, active, description)
SELECT address, goto, domain, {born}, {born}, active, description FROM entry ORDER BY address;

INSERT INTO mailadmin_sender_permission (address, domain, mailbox, mailbox_domain, created,
    modified, active)
SELECT CONCAT(IF(n, CONCAT('as.', person), ''), '@', domain), domain, username, domain, {born},
    {born}, (n + d) % 13 <> 12
FROM person WHERE n % 10 = 0 ORDER BY username;

INSERT INTO mailbox_app_password (username, description, password_hash)
SELECT username, 'Phone', CONCAT('{{MAILADMIN}}bench$', SHA2(username, 256))
FROM person WHERE n % 4 = 0 ORDER BY username;
INSERT INTO mailadmin_app_password (app_password, created)
SELECT id, {born} FROM mailbox_app_password;
INSERT INTO mailadmin_last_login (username, protocol, app_password, address, at)
SELECT username, 'imap', 0, '192.0.2.7', UNIX_TIMESTAMP(NOW() - INTERVAL IF(n % 4, 200, 5) DAY)
FROM person ORDER BY username;

INSERT INTO quota2 (username, bytes, messages)
SELECT username, (1 + n % 4) * 1024 * 10240 * IF((n + d) % 199 = 198, 95, (n * 7 + d) % 80),
    n % 5000
FROM person ORDER BY username;

INSERT INTO alias_domain (alias_domain, target_domain, created, modified, active)
SELECT mirror.domain, place.domain, {born}, {born}, 1
FROM place AS mirror JOIN place ON place.d = (mirror.d - {few} - 1) % {few} WHERE mirror.d > {few};

INSERT INTO mailadmin_token (owner, name, hint, digest, tables, verbs, domains, networks, created,
    last_address)
SELECT owner, 'bench', '', SHA2(CONCAT('{token}', owner), 256), '[]', '[]', '[]', '[]', {born}, ''
FROM (SELECT '{ROOT}' AS owner UNION ALL SELECT '{TEN}') AS owners;
INSERT INTO admin (username, password, created, modified, active, superadmin) VALUES
    ('{ROOT}', '{stored}', {born}, {born}, 1, 1), ('{TEN}', '{stored}', {born}, {born}, 1, 0),
    ('{MANY}', '{stored}', {born}, {born}, 1, 0);
INSERT INTO admin (username, password, created, modified, active, superadmin)
SELECT CONCAT('admin', seq, '@example.net'), '{stored}', {born}, {born}, 1, 0
FROM seq_0_to_{last_admin};
INSERT INTO domain_admins (username, domain, created, active)
SELECT '{ROOT}', 'ALL', {born}, 1
UNION ALL SELECT '{TEN}', domain, {born}, 1 FROM place WHERE d < 9 OR d = {few}
UNION ALL SELECT '{MANY}', domain, {born}, 1 FROM place WHERE d % 5 = 0
UNION ALL SELECT CONCAT('admin', d % {admins}, '@example.net'), domain, {born}, 1 FROM place;

INSERT INTO log (timestamp, username, domain, action, data)
SELECT NOW() - INTERVAL {days} DAY + INTERVAL FLOOR(seq * {step}) SECOND,
    CONCAT(IF(seq % 3, CONCAT('admin', seq % {admins}, '@example.net'), '{ROOT}'), ' (192.0.2.1)'),
    place.domain, ELT(1 + (seq + seq DIV 10) % 4,
        'edit_mailbox', 'create_alias', 'edit_alias', 'edit_password'),
    IFNULL(username, place.domain)
FROM seq_0_to_{last_line} AS numbers
JOIN place ON place.d = IF(seq % 10, seq * 7919 % {domains}, 0)
LEFT JOIN person ON person.d = place.d AND person.n = seq % 40 ORDER BY seq;
INSERT INTO mailadmin_change (at, actor, batch, verb, `table`, `key`, domain, `values`)
SELECT timestamp, username, '{batch}', 'edit', 'mailbox', data, domain, '{change}'
FROM log WHERE action = 'edit_mailbox' AND id % 5 = 1 ORDER BY id;

INSERT INTO mailadmin_domain_state
    (domain, version, mailboxes, aliases, quota_assigned, quota_used)
SELECT domain, 1, IFNULL(mailboxes, 0), IFNULL(aliases, 0) - IFNULL(mailboxes, 0),
    IFNULL(assigned, 0), IFNULL(used, 0)
FROM place
LEFT JOIN (SELECT domain, COUNT(*) AS mailboxes, SUM(quota) AS assigned FROM mailbox
    GROUP BY domain) AS boxes USING (domain)
LEFT JOIN (SELECT domain, COUNT(*) AS aliases FROM alias GROUP BY domain) AS names USING (domain)
LEFT JOIN (SELECT domain, SUM(bytes) AS used FROM person JOIN quota2 USING (username)
    GROUP BY domain) AS usages USING (domain) ORDER BY domain;
ANALYZE TABLE domain, mailbox, alias, alias_domain, quota2, vacation, log, domain_admins,
    mailadmin_domain_state, mailadmin_change, mailadmin_sender_permission, mailbox_app_password,
    mailadmin_app_password, mailadmin_last_login;
"""


def database(client, name, size):
    """Create, migrate and fill a database of this size on the server."""
    client.create(name)
    database = legacy_databases.Database(client, name)
    database.migrate()
    fill(database, size)
    database.panel("manage.py", "worker", "--once")  # fills the caches of large databases
    return database


def fill(database, size, stored=None):
    """Fill the empty tables of a database that `migrate` has seen."""
    sql = rows(size, stored or hashed())
    is_mariadb = "MariaDB" in database.value("SELECT VERSION()")
    database.execute(sql if is_mariadb else with_tables(sql))


def with_tables(sql):
    """Create tables of numbers for MySQL, which cannot read a temporary table twice."""
    made = re.findall(r"CREATE TEMPORARY TABLE (\w+)", sql)
    steps = ["SET cte_max_recursion_depth = 1000000000"]
    for last in sorted(set(re.findall(r"seq_0_to_(\d+)", sql))):
        made.append(f"seq_0_to_{last}")
        steps.append(
            f"CREATE TABLE {made[-1]} (seq INT PRIMARY KEY) WITH RECURSIVE numbers AS (SELECT 0 AS"
            f" seq UNION ALL SELECT seq + 1 FROM numbers WHERE seq < {last}) SELECT * FROM numbers"
        )
    steps.append(sql.replace("CREATE TEMPORARY TABLE", "CREATE TABLE"))
    return ";\n".join([*steps, f"DROP TABLE {', '.join(made)}"])


def hashed():
    from mailadmin import passwords

    return passwords.make_hash(PASSWORD)


def rows(size, stored):
    """Return the statements that write all rows."""
    few = size.domains - size.mirrors - 1
    days = 730
    return ROWS.format(
        LARGEST=LARGEST,
        FEW=FEW,
        ROOT=ROOT,
        TEN=TEN,
        token=TOKEN,
        MANY=MANY,
        few=few,
        usual=few - 1,
        domains=size.domains,
        largest=size.largest,
        in_largest=20,
        admins=size.admins,
        last_admin=size.admins - 1,
        last_domain=size.domains - 1,
        last_usual=size.mailboxes - 3,
        last_alias=size.aliases - few // 20 - 2,
        last_line=size.lines - 1,
        people=len(GIVEN) * len(FAMILY),
        places=len(PLACE) ** 2,
        place=f"{pick(PLACE, 'seq')}, '-', {pick(PLACE, f'seq DIV {len(PLACE)}')}",
        given=pick(GIVEN, "m"),
        family=pick(FAMILY, f"(m DIV {len(GIVEN)})"),
        given_of_n=pick(GIVEN, "(n * 37)"),
        work=pick(WORK, "(n + d)"),
        works=len(WORK),
        born=f"'{datetime.date.today() - datetime.timedelta(days=2 * 730)}'",
        days=days,
        step=days * 86400 / size.lines,
        stored=stored,
        batch="0" * 32,
        change='{"name": ["Bob", "Bob Builder"]}',
    )


def pick(words, number):
    """SQL for one of the words."""
    return f"ELT(1 + {number} % {len(words)}, {', '.join(map(repr, words))})"


def tune(client, megabytes=MEMORY):
    client.execute(TUNING.format(megabytes=megabytes))


def about(client, database):
    """Return the size of the tables and the memory of the server for them."""
    taken = database.value(
        "SELECT ROUND(SUM(data_length + index_length) / 1024 / 1024)"
        " FROM information_schema.tables WHERE table_schema = DATABASE()"
    )
    given = client.execute("SELECT @@innodb_buffer_pool_size DIV 1048576")[0]
    return f"{taken} MB of tables, {given} MB of buffer pool"


def sizes(text):
    """`S,L` → the sizes of these names."""
    names = re.findall(r"\w+", text)
    if unknown := [name for name in names if name not in SIZES]:
        raise ValueError(f"no such size: {', '.join(unknown)}; there are {', '.join(SIZES)}")
    return {name: SIZES[name] for name in names}
