"""Columns that an operator has added: their setting, and how they were added."""

SETTING = (
    'mailbox.x_department "Department" list search filter, mailbox.x_floor integer list filter,'
    " mailbox.x_level integer, mailbox.x_price decimal filter, mailbox.x_rate decimal:3,"
    " mailbox.x_vip boolean list filter,"
    " mailbox.x_since date list filter, mailbox.x_seen datetime, mailbox.x_stamp datetime,"
    ' mailbox.x_site choice:north|south "Building" list filter, mailbox.x_notes multiline,'
    ' mailbox.x_contract "Contract" superadmins list, mailbox.x_number read-only,'
    " alias.x_reason text:40 list search filter, alias.x_owner, domain.x_customer list search"
)
REQUIRED_SETTING = "mailbox.x_cost required"
# With which the tests of tables pass as they are
PLAIN_SETTING = (
    "mailbox.x_department, mailbox.x_floor integer list filter, mailbox.x_vip boolean,"
    " alias.x_reason list filter, alias.x_owner, domain.x_customer list"
)
COLUMNS = {
    "mailbox": {
        "x_department": "varchar(40) CHARACTER SET latin1",
        "x_floor": "smallint unsigned",
        "x_level": "int NOT NULL DEFAULT 3",
        "x_price": "decimal(10,2) NOT NULL DEFAULT 1.50",
        "x_rate": "decimal(6,3)",
        "x_vip": "tinyint(1) DEFAULT NULL",
        "x_since": "date",
        "x_seen": "datetime",
        "x_stamp": "timestamp NULL DEFAULT NULL",
        "x_site": "enum('north','south','roof')",
        "x_notes": "text",
        "x_contract": "varchar(255) NOT NULL DEFAULT ''",
        "x_number": "varchar(20)",
        "x_cost": "varchar(20) NOT NULL DEFAULT ''",
    },
    "alias": {
        "x_reason": "varchar(40) NOT NULL DEFAULT ''",
        "x_owner": "varchar(40) NOT NULL DEFAULT 'nobody''s'",
    },
    "domain": {"x_customer": "varchar(20)"},
}
SQLITE_TYPES = {
    "varchar(40) CHARACTER SET latin1": "varchar(40)",
    "enum('north','south','roof')": "varchar(20)",
}


def add_columns(connection):
    """Add the columns to the database of the tests, as an operator does."""
    for table, columns in COLUMNS.items():
        for name, column_type in columns.items():
            if connection.vendor == "sqlite":
                column_type = SQLITE_TYPES.get(column_type, column_type)
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {table} ADD {name} {column_type}")
