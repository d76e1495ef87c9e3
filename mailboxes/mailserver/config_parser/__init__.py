"""Configurations of Postfix and Dovecot as they lie in a folder, each value with its line.

Reads files and nothing else: neither program has to be installed, and a copy made on another
machine reads like the original.
"""
