"""Suggestions of domains for form fields."""

from domains.models import Domain
from mailadmin.tables.views.list import PickerView


class DomainPickerView(PickerView):
    model = Domain
    field_names = ("q", "domain", "alias_domain", "target_domain")
