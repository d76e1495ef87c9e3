"""Django's template tags of translation; `{% translate %}` looks up a text once per language.

The setting TEMPLATES gives this library the name of Django's, `i18n`.
"""

from django import template
from django.template import Context
from django.template.base import Parser, Token
from django.templatetags import i18n
from django.utils.translation import get_language

register = template.Library()
register.tags.update(i18n.register.tags)
register.filters.update(i18n.register.filters)


class CachedTranslateNode(template.Node):
    """A constant text, kept in each language in which it has been shown."""

    child_nodelists = ()

    def __init__(self, node: i18n.TranslateNode) -> None:
        self.variable_name, node.asvar = node.asvar, None
        self.node = node
        self.texts: dict[str | None, str] = {}

    def render(self, context: Context) -> str:
        language = get_language()
        if (text := self.texts.get(language)) is None:
            text = self.texts[language] = self.node.render(context)
        if not self.variable_name:
            return text
        context[self.variable_name] = text
        return ""


@register.tag("translate")
@register.tag("trans")
def translate(parser: Parser, token: Token) -> template.Node:
    """Translate as Django does; a text that stands in the template is looked up once."""
    node = i18n.do_translate(parser, token)
    expression = node.filter_expression
    is_constant = expression.var.literal is not None and not expression.filters
    if is_constant and not node.message_context and not node.noop:
        return CachedTranslateNode(node)
    return node
