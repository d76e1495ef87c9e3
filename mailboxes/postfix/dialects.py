"""SQL expressions for MySQL and SQLite, as the mail server's queries need them."""

from django.db import connections
from django.db.models import Model

from mailadmin.db.column_facts import load_column_facts


class SQLDialect:
    """Render expressions for one database; values compare as the column would."""

    now = "datetime('now', 'localtime')"

    def __init__(self, alias: str = "default") -> None:
        self.column_facts = load_column_facts(alias)

    def table(self, model: type[Model], name: str | None = None) -> str:
        """Return the table of a model with the alias that qualifies its columns."""
        return f"{model._meta.db_table} AS {name or model._meta.model_name}"

    def equals(self, column: str, model: type[Model], name: str, expression: str) -> str:
        """Return an equality that uses the column's index; the expression is cast to the column."""
        return f"{column} = {self.cast_to_column(model, name, expression)}"

    def is_one_of(self, column: str, model: type[Model], name: str, *expressions: str) -> str:
        """Return that the column equals one of these; each is cast to the column."""
        casts = (self.cast_to_column(model, name, each) for each in expressions)
        return f"{column} IN ({', '.join(casts)})"

    def cast_to_column(self, model: type[Model], name: str, expression: str) -> str:
        return expression

    def ascii_conditions(self, expression: str) -> list[str]:
        """Return the conditions that make an equality exact; none are needed for SQLite."""
        return []

    def concat(self, *expressions: str) -> str:
        return " || ".join(expressions)

    def key_at_domain(self, column: str) -> str:
        """Return the key's local part at another domain; `@domain` for a catch-all's key."""
        return f"substr(:key, 1, instr(:key, '@')) || {column}"

    def quote(self, text: str) -> str:
        """Return a text as a literal."""
        doubled = text.replace("'", "''")
        return f"'{doubled}'"

    def key_local_part(self) -> str:
        return "substr(:key, 1, instr(:key, '@') - 1)"

    def non_negative(self, column: str) -> str:
        return f"max({column}, 0)"

    def integer_divide(self, expression: str, number: int) -> str:
        """Return the quotient, as a whole number."""
        return f"{expression} / {number}"


class MySQLDialect(SQLDialect):
    now = "NOW()"

    def cast_to_column(self, model: type[Model], name: str, expression: str) -> str:
        """Convert to the column's charset and collation, or a mix of collations is error 1267."""
        facts = self.column_facts.get((model._meta.db_table, name))
        if not facts or not facts.charset:
            return expression
        return f"CONVERT({expression} USING {facts.charset}) COLLATE {facts.collation}"

    def ascii_conditions(self, expression: str) -> list[str]:
        """Require ASCII: collations may equate é and e, and a conversion turns ж into “?”."""
        return [f"CAST({expression} AS BINARY) = CONVERT({expression} USING ascii)"]

    def concat(self, *expressions: str) -> str:
        return f"CONCAT({', '.join(expressions)})"

    def key_at_domain(self, column: str) -> str:
        # The key may be a column as well, or come in the connection's charset.
        key, domain = "CONVERT(:key USING utf8mb4)", f"CONVERT({column} USING utf8mb4)"
        return f"CONCAT(SUBSTRING_INDEX({key}, '@', 1), '@', {domain})"

    def quote(self, text: str) -> str:
        return super().quote(text.replace("\\", "\\\\"))

    def key_local_part(self) -> str:
        return "SUBSTRING_INDEX(:key, '@', 1)"

    def non_negative(self, column: str) -> str:
        return f"GREATEST({column}, 0)"

    def integer_divide(self, expression: str, number: int) -> str:
        return f"{expression} DIV {number}"


def get_dialect(alias: str = "default") -> SQLDialect:
    return {"mysql": MySQLDialect}.get(connections[alias].vendor, SQLDialect)(alias)
