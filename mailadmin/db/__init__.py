"""Fields, migration operations, bulk statements and checks of the database."""
