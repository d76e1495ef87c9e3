"""The API: resources of all tables, with the forms, services and scope of their pages."""
