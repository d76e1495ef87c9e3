"""What a form's field is in JSON: for the check of what was sent, and for the document."""

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from mailadmin.api.problems import rows_refused, unprocessable
from mailadmin.tables.form_fields import TargetsField
from mailadmin.tables.forms import program_fields


class Strict:
    """JSON has types, and another one is a mistake of whoever wrote the program."""

    takes = ()
    told = ""

    def to_internal_value(self, data):
        if isinstance(data, bool) != (bool in self.takes) or not isinstance(data, self.takes):
            raise serializers.ValidationError(self.told)
        return super().to_internal_value(data)


class Text(Strict, serializers.CharField):
    takes, told = (str,), _("This has to be a string.")


class YesNo(Strict, serializers.BooleanField):
    takes, told = (bool,), _("This has to be true or false.")


class Whole(Strict, serializers.IntegerField):
    takes, told = (int,), _("This has to be a whole number.")


class Number(Strict, serializers.FloatField):
    takes, told = (int, float), _("This has to be a number.")


class Texts(serializers.ListField):
    child = Text(allow_blank=False)
    default_error_messages = {"not_a_list": _("This has to be a list of strings.")}


def typed(field, bounds=True, **options):
    """The JSON type of a form's field, as it is asked or (without bounds) as it may be found."""
    options |= {"help_text": str(field.help_text or field.label or "")}
    match field:
        case forms.BooleanField():
            return YesNo(**options)
        case TargetsField():
            return Texts(**options)
        case forms.DecimalField() | forms.IntegerField():
            kind = Whole if type(field) is forms.IntegerField else Number
            limits = {"min_value": field.min_value, "max_value": field.max_value} if bounds else {}
            return kind(**options, **limits)
    limits = {"max_length": field.max_length} if bounds and field.max_length else {}
    return Text(allow_blank=True, trim_whitespace=False, **options, **limits)


def typed_column(column, **options):
    """The JSON type of a column that no form asks for."""
    options |= {"help_text": str(column.verbose_name), "allow_null": column.null}
    match column:
        case models.BooleanField():
            return YesNo(**options)
        case models.DateTimeField():
            return serializers.DateTimeField(**options | {"allow_null": True})
        case models.IntegerField():
            return Whole(**options)
    return Text(allow_blank=True, **options)


def serializer(name, fields):
    return type(name, (serializers.Serializer,), fields)


def refuse_wrong_types(crud, screen, sent):
    """Each row's types; what a value has to be like is the form's to say."""
    fields = {name: typed(f) for name, f in program_fields(crud.form_class, screen).items()}
    check = serializer("Typed", fields)
    if not isinstance(sent, list):
        if errors := type_errors(check, sent):
            raise unprocessable(errors)
        return
    if refused := {n: errors for n, row in enumerate(sent) if (errors := type_errors(check, row))}:
        raise rows_refused(refused)


def type_errors(check, row):
    checked = check(data=row, partial=True)
    if checked.is_valid():
        return {}
    return {
        name if name != "non_field_errors" else "": flat(errors)
        for name, errors in checked.errors.items()
    }


def flat(errors):
    """A list's errors come by the number of its member."""
    if isinstance(errors, dict):
        return [text for texts in errors.values() for text in texts]
    return list(errors)
