"""As much of a query as a reader of configurations wants: what, from where, if what."""

import re
from dataclasses import dataclass

IDENTIFIER_PATTERN = r"[\w$`\"]+(?:\.[\w$`\"]+)?"
TABLE_SOURCE_RE = re.compile(
    rf"(?:^|,|\bjoin\b)\s*({IDENTIFIER_PATTERN})(?:\s+(?:as\s+)?(?!on\b|using\b|left\b|right\b|inner\b|outer\b"
    rf"|cross\b|join\b|natural\b|straight_join\b)([\w`\"]+))?",
    re.IGNORECASE,
)
CLAUSE_KEYWORDS = ("union", "from", "where", "group", "having", "order", "limit", "procedure")
SELECT_PREFIX_RE = re.compile(r"\s*(?:(?:all|distinct)\b\s*(?=\(|select\b))?", re.IGNORECASE)
SELECT_KEYWORD_RE = re.compile(r"\s*(?:select\s+(?:distinct\s+)?)?", re.IGNORECASE)
TOKEN_RE = re.compile(r"'(?:[^'\\]|\\.|'')*'|[\w`\".$%{}@|:#]+|.", re.DOTALL)


@dataclass(frozen=True)
class ParsedSelect:
    """One SELECT of a query that may unite several."""

    columns: str
    source: str
    where_clause: str
    text: str
    start: int  # where its columns are in the query
    end: int

    @property
    def tables(self):
        """Name in the query (an alias, if it has one) → name of the table."""
        found = {}
        for name, alias in TABLE_SOURCE_RE.findall(
            remove_parentheses(blank_string_literals(self.source))
        ):
            name = unquote_identifier(name).rpartition(".")[2]
            found[unquote_identifier(alias) or name] = name
        return found

    def mentions_column(self, column, name=None):
        """Whether a column is asked: that of a table by its name in the query, if that is said."""
        text = f"{self.source} {self.where_clause}"
        plain = rf"(?<![\w.`\"]){build_column_pattern(column)}"
        owned = (
            rf"(?<![\w`\"]){build_column_pattern(name or '')}\s*\.\s*{build_column_pattern(column)}"
        )
        patterns = [owned] if name else [plain, rf"\.\s*{build_column_pattern(column)}"]
        if name and len(self.tables) == 1:
            patterns.append(plain)
        return any(
            re.search(pattern, blank_string_literals(text), re.IGNORECASE) for pattern in patterns
        )


def remove_parentheses(text):
    """The text without what stands in brackets."""
    inner = None
    while inner != text:
        inner, text = text, re.sub(r"\([^()]*\)", "", text)
    return text


def build_column_pattern(name):
    return rf"[`\"]?{re.escape(name)}[`\"]?(?![\w`\"])"


def unquote_identifier(name):
    return name.replace("`", "").replace('"', "").lower()


def blank_string_literals(text):
    """The text without what its strings say."""
    return re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", text)


def parse_selects(query):
    """Each SELECT that a query unites."""
    return [
        _parse_select(part, place)
        for place, part in _split_at_keyword(query, "union")
        if part.strip()
    ]


def _parse_select(text, place_in_query):
    before = SELECT_PREFIX_RE.match(text).end()
    text, begin = text[before:].rstrip(), place_in_query + before
    if text.startswith("(") and text.endswith(")"):
        text, begin = text[1:-1], begin + 1
    pieces = {"columns": "", "source": "", "condition": ""}
    names = {"from": "source", "where": "condition"}
    at, place = "columns", 0
    for start, end, word in _iter_top_level_tokens(text):
        if word not in CLAUSE_KEYWORDS:
            continue
        pieces[at] += text[place:start]
        at, place = names.get(word, "condition"), end
    pieces[at] += text[place:]
    begin += SELECT_KEYWORD_RE.match(text).end()
    columns = SELECT_KEYWORD_RE.sub("", pieces["columns"], count=1).strip()
    source, condition = pieces["source"].strip(), pieces["condition"].strip()
    return ParsedSelect(columns, source, condition, text, begin, begin + len(columns))


def _split_at_keyword(text, separator):
    """What a word parts, each part with its place."""
    parts, place = [], 0
    for start, end, word in _iter_top_level_tokens(text):
        if word == separator:
            parts.append((place, text[place:start]))
            place = end
    return [*parts, (place, text[place:])]


def _iter_top_level_tokens(text):
    """Words outside of strings and brackets, lower case, with their places."""
    level = 0
    for token in TOKEN_RE.finditer(text):
        level += (token[0] == "(") - (token[0] == ")")
        if level == 0:
            yield token.start(), token.end(), token[0].lower()


def parse_columns(columns):
    """Each selected expression with the name it gets: `CONCAT(a, b) AS home` → (…, "home")."""
    found = []
    for part in split_columns(columns):
        named = re.fullmatch(r"(.*?[\s)'])(?:as\s+)?([\w`\"]+)", part, re.IGNORECASE | re.DOTALL)
        if named and not named[1].strip().lower().endswith((",", " as")):
            expression = re.sub(r"\s+as$", "", named[1].strip(), flags=re.IGNORECASE)
            found.append((expression, unquote_identifier(named[2])))
        else:
            found.append((part, unquote_identifier(part).rpartition(".")[2]))
    return found


def split_columns(columns):
    """What commas part, outside of strings and brackets."""
    parts, place = [], 0
    for start, end, word in _iter_top_level_tokens(columns):
        if word == ",":
            parts.append(columns[place:start].strip())
            place = end
    return [*parts, columns[place:].strip()]
