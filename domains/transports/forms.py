"""The form of transports."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from domains.models import Transport
from domains.patterns import DEFAULT_DELIVERY, normalize_pattern, validate_pattern
from mailadmin.names import address_to_unicode
from mailadmin.tables.form_fields import UntruncatedCharField
from mailadmin.tables.forms import TableForm


class PatternFormField(UntruncatedCharField):
    """The pattern of a transport as users type it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=255, validators=[validate_pattern], **options)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalize_pattern(value) if value else value

    def prepare_value(self, value: Any) -> Any:
        return address_to_unicode(value) if isinstance(value, str) else value


class TransportForm(TableForm):
    """A transport; a new one is preset for the domain of the link."""

    create_only_fields = ("pattern",)

    pattern = PatternFormField(
        label=_("Pattern"),
        help_text=_(
            "joe@example.org, example.org, .example.org (its subdomains) or * (everything"
            " else). “*” also reroutes your own domains and the mail server itself,"
            " except domains that have their own row with the transport “:”."
        ),
    )

    class Meta:
        model = Transport
        fields = ["pattern", "transport", "active", "description"]
        help_texts = {
            "transport": _(
                "A service of master.cf and its next hop: smtp:[mx.example.org]:25,"
                " lmtp:unix:private/name, error:5.1.1 text, discard: – or “:” for default"
                " delivery."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_edit and (domain := self.initial.get("domain")):
            self.initial = {"pattern": domain, "transport": DEFAULT_DELIVERY, **self.initial}
