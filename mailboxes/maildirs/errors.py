"""Why `mailadmin maildirs` does nothing."""


class MaildirRunRefused(Exception):
    """The run is not safe, or is done by somebody else; the text says what to do."""
