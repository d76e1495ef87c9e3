"""DKIM keys, and which of them signs for whom: tables, forms, DNS records."""
