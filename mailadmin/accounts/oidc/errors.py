"""What goes wrong between the panel and the provider."""

from urllib.parse import urlsplit


class ProviderUnavailable(Exception):
    """The provider does not answer, or not as a provider does."""

    def __init__(self, url: str, reason: object) -> None:
        self.server = urlsplit(url).netloc
        super().__init__(f"{self.server}: {reason}")


class InvalidToken(Exception):
    """A code or token that is refused, by the provider or by the panel."""
