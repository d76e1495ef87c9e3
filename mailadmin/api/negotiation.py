"""JSON in, JSON out."""

from rest_framework.negotiation import BaseContentNegotiation


class AlwaysJson(BaseContentNegotiation):
    """Whatever is accepted: there is nothing else here."""

    def select_parser(self, request, parsers):
        return parsers[0] if is_json(request.content_type) else None

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def is_json(content_type):
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"
