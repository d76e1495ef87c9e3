"""How MySQL and SQLite say what the mail server's queries need."""

from django.db import connections

from mailadmin.db.fields import load_column_facts


class SQLDialect:
    """How a database says what the queries need; values compare as the column would."""

    def __init__(self, alias="default"):
        self.column_facts = load_column_facts(alias)
        self.vendor = connections[alias].vendor

    def table(self, model, name=None):
        """The table of a model, under the name that its columns are called by."""
        return f"{model._meta.db_table} AS {name or model._meta.model_name}"

    def holds(self, column, model, name, expression):
        """Equality that uses the column's index and lets no other alphabet through as a “?”."""
        return f"{column} = {self.cast_to_column(model, name, expression)}"

    def cast_to_column(self, model, name, expression):
        return expression

    def ascii_conditions(self, word):
        """A condition that the word must meet beside equality; none where equality is exact."""
        return []

    def joined(self, *expressions):
        return " || ".join(expressions)

    def key_at_domain(self, column):
        """The key's local part at another domain; of `@here` it makes `@there`."""
        return f"substr(:key, 1, instr(:key, '@')) || {column}"

    def non_negative(self, column):
        return f"max({column}, 0)"

    def integer_divide(self, expression, number):
        """The quotient, as a whole number."""
        return f"{expression} / {number}"

    now = "datetime('now', 'localtime')"


class MySQLDialect(SQLDialect):
    def cast_to_column(self, model, name, expression):
        """Without the column's own charset and collation other alphabets are error 1267."""
        facts = self.column_facts.get((model._meta.db_table, name))
        if not facts or not facts.charset:
            return expression
        return f"CONVERT({expression} USING {facts.charset}) COLLATE {facts.collation}"

    def ascii_conditions(self, word):
        """Else é would be equal to e in some collations, and ж to a question mark."""
        return [f"CAST({word} AS BINARY) = CONVERT({word} USING ascii)"]

    def joined(self, *expressions):
        return f"CONCAT({', '.join(expressions)})"

    def key_at_domain(self, column):
        # The key may be a column as well, or come in the connection's charset.
        here, there = "CONVERT(:key USING utf8mb4)", f"CONVERT({column} USING utf8mb4)"
        return f"CONCAT(SUBSTRING_INDEX({here}, '@', 1), '@', {there})"

    def non_negative(self, column):
        return f"GREATEST({column}, 0)"

    def integer_divide(self, expression, number):
        return f"{expression} DIV {number}"

    now = "NOW()"


def get_dialect(alias="default"):
    return {"mysql": MySQLDialect}.get(connections[alias].vendor, SQLDialect)(alias)
