"""Tests with columns that an operator has added.

Settings are read and models made once in a process, so the tests in `case_….py` are run by
`test_custom_columns.py` in a pytest of its own.
"""
