"""Parts of addresses, taken by the database."""

from typing import Any

from django.db.models import CharField, Func
from django.db.models.sql.compiler import SQLCompiler


class AddressDomain(Func):
    """The domain of an address, which is what follows its last `@`.

    SQLite looks for the first one: an address with several cannot be stored there.
    """

    template = "SUBSTR(%(expressions)s, INSTR(%(expressions)s, '@') + 1)"
    output_field = CharField()

    def as_mysql(self, compiler: SQLCompiler, connection: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="SUBSTRING_INDEX(%(expressions)s, '@', -1)"
        )
