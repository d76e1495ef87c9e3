"""Print the table of settings for the documentation: `python -m mailadmin.conf`."""

from mailadmin.conf import format_settings_table

print("\n".join(format_settings_table()))
