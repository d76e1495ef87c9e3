"""Print the settings for the documentation, or write them into its page: see settings_page."""

import sys
from pathlib import Path

from mailadmin.conf.settings_page import format_settings, generate_settings

for path in map(Path, sys.argv[1:]):
    path.write_text(generate_settings(path.read_text("utf-8")), "utf-8")
if not sys.argv[1:]:
    print(format_settings())
