"""The API: every table's resource follows from its Crud, by the same forms, services and scope."""
