"""Tables: declared once as a `Table`, held by pages, the API, commands and imports."""
