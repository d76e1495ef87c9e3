"""Files of Dovecot 2.3, written as Dovecot 2.4 wants them.

What the names of 2.3 become stands in tables. A new name goes into

- `reading/names.py`, which `check` reads too: `RENAMED` (the same value by another name), `FILES`
  (a file's name instead of `<file`), `INVERTED` (yes becomes no), `REPLACED` (somebody has to
  decide), `GONE`, `IN_BLOCKS` (in one kind of block), `PLUGIN` (another name than in plugin { });
- `convert.py`: `SPECIAL` (a function writes the lines), `EXPANDED` (a value with variables),
  `OWN_LETTERS` (variables that are its own), `PLACES` (options of mail_location), `PLUGINS` (words
  of mail_plugins), `GONE_SERVICES`;
- `plugin.py`: `KEPT` (the same name outside of plugin { }), `SCRIPTS`, `SPECIAL`;
- `authentication.py`: `ARGUMENTS` (args of a driver), `KEPT`, `DRIVERS`, `GONE_DRIVERS`;
- `database.py`: `WORDS` of connect; `queries.py`: `DIALECTS`; `variables.py`: `LETTERS`, `NAMES`.

What comes of a setting is `Made` or `Lost` (`result.py`), of which `render.py` makes text.
"""
