"""Imports from other mail systems, and exports: one plan, one small reader per system.

A reader (`readers/`) turns the contents of a system into entries. The plan (`plan/`) compares them
with the database and is reviewed before anything else is written. Applying it calls the same
services as every form; so does undoing it.
"""
