"""Domains with a DKIM key each: example.org, alice's, and example.com."""

from domains.dkim.keys import derive_public_key, generate_private_key
from domains.models import DkimKey, DkimSigning
from tests.base import World

OWN, FOREIGN = "example.org", "example.com"
PRIVATE_KEY = generate_private_key()  # takes a tenth of a second
PUBLIC_KEY = derive_public_key(PRIVATE_KEY)


class DkimWorld(World):
    def make_key(self, domain, selector="mail2025"):
        return DkimKey.objects.create(
            domain_name_id=domain,
            selector=selector,
            private_key=PRIVATE_KEY,
            public_key=PUBLIC_KEY,
        )

    def make_signing(self, author, key):
        return DkimSigning.objects.create(author=author, dkim=key)
