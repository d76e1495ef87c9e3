"""Scripts and webhooks: what else happens after a change, run by the worker."""
