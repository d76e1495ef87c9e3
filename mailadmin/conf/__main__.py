"""Print the README's table of settings: `python -m mailadmin.conf`."""

from mailadmin.conf import rows

print("\n".join(rows()))
