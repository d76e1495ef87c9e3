"""Print the README's table of settings: `python -m mailadmin.env`."""

from mailadmin.env import rows

print("\n".join(rows()))
