"""Logs, slow queries, metrics and health checks for operators."""
