"""Collations of databases: what was the rule, and what the newest servers make by themselves."""

import os

NEWEST = {"mysql": "utf8mb4_0900_ai_ci"}.get(os.environ["TEST_DATABASE"], "utf8mb4_uca1400_ai_ci")
NAMES = ("utf8mb4_general_ci", NEWEST)
