"""Collations of databases: the usual ones, and the defaults of the newest servers."""

import os

NEWEST = {"mysql": "utf8mb4_0900_ai_ci"}.get(os.environ["TEST_DATABASE"], "utf8mb4_uca1400_ai_ci")
NAMES = ("utf8mb4_general_ci", NEWEST)
