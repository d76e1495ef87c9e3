"""Convert Dovecot 2.3 files to Dovecot 2.4.

The new names of settings are in tables:

- `config_parser/names.py`, shared with the checks: `RENAMED_SETTINGS`, `FILE_SETTINGS` (a file
  name instead of `<file`), `INVERTED_SETTINGS` (yes becomes no), `REPLACED_SETTINGS` (for the
  administrator to decide), `REMOVED_SETTINGS`, `BLOCK_SETTINGS` (of one kind of block),
  `RENAMED_PLUGIN_SETTINGS`;
- `settings.py`: `SETTING_CONVERTERS` (functions that return the lines), `SETTINGS_WITH_VARIABLES`,
  `SETTINGS_WITH_OWN_VARIABLES`, `RENAMED_PLUGINS`; `convert.py`: `REMOVED_SERVICES`;
- `plugin.py`: `UNCHANGED_SETTINGS`, `SIEVE_SCRIPT_TYPES`, `PLUGIN_SETTING_CONVERTERS`;
- `authentication.py`: `ARGUMENT_CONVERTERS`, `UNCHANGED_SETTINGS`, `RENAMED_DRIVERS`,
  `REMOVED_DRIVERS`;
- `locations.py`: `LOCATION_OPTIONS`; `database.py`: `CONNECT_KEYWORDS`; `queries.py`:
  `LOCATION_SQL`; `variables.py`: `LETTER_VARIABLES`, `NAMED_VARIABLES`.

A setting becomes a `ConvertedSetting` or an `UnconvertedSetting` (`result.py`), which `render.py`
writes as text.
"""
