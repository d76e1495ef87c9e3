"""Split the SELECTs of a query into columns, tables and condition, without validating it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

IDENTIFIER_PATTERN = r"[\w$`\"]+(?:\.[\w$`\"]+)?"
TABLE_SOURCE_RE = re.compile(
    rf"(?:^|,|\bjoin\b)\s*({IDENTIFIER_PATTERN})(?:\s+(?:as\s+)?(?!on\b|using\b|left\b|right\b|inner\b|outer\b"
    rf"|cross\b|join\b|natural\b|straight_join\b)([\w`\"]+))?",
    re.IGNORECASE,
)
CLAUSE_KEYWORDS = ("union", "from", "where", "group", "having", "order", "limit", "procedure")
UNION_MODE_RE = re.compile(r"\s*(?:(?:all|distinct)\b\s*(?=\(|select\b))?", re.IGNORECASE)
SELECT_KEYWORD_RE = re.compile(r"\s*(?:select\s+(?:distinct\s+)?)?", re.IGNORECASE)
TOKEN_RE = re.compile(r"'(?:[^'\\]|\\.|'')*'|[\w`\".$%{}@|:#]+|.", re.DOTALL)


@dataclass(frozen=True)
class ParsedSelect:
    """A SELECT of a query, which may be a UNION of several."""

    columns: str
    source: str
    where_clause: str
    text: str
    start: int  # of the columns in the query
    end: int

    @property
    def tables(self) -> dict[str, str]:
        """Return alias (or name) → name of each table."""
        found = {}
        for name, alias in TABLE_SOURCE_RE.findall(
            remove_parentheses(blank_string_literals(self.source))
        ):
            name = unquote_identifier(name).rpartition(".")[2]
            found[unquote_identifier(alias) or name] = name
        return found

    def mentions_column(self, column: str, name: str | None = None) -> bool:
        """Check for a column in the tables or condition, qualified by the table alias if given."""
        text = f"{self.source} {self.where_clause}"
        plain = rf"(?<![\w.`\"]){build_column_pattern(column)}"
        qualified = (
            rf"(?<![\w`\"]){build_column_pattern(name or '')}\s*\.\s*{build_column_pattern(column)}"
        )
        patterns = [qualified] if name else [plain, rf"\.\s*{build_column_pattern(column)}"]
        if name and len(self.tables) == 1:
            patterns.append(plain)
        return any(
            re.search(pattern, blank_string_literals(text), re.IGNORECASE) for pattern in patterns
        )


def remove_parentheses(text: str) -> str:
    """Remove everything in parentheses."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def build_column_pattern(name: str) -> str:
    return rf"[`\"]?{re.escape(name)}[`\"]?(?![\w`\"])"


def unquote_identifier(name: str) -> str:
    return name.replace("`", "").replace('"', "").lower()


def blank_string_literals(text: str) -> str:
    """Return the text with all string literals empty."""
    return re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", text)


def parse_selects(query: str) -> list[ParsedSelect]:
    """Return the SELECTs of a query, one for each part of a UNION."""
    return [
        _parse_select(part, position)
        for position, part in _split_at_keyword(query, "union")
        if part.strip()
    ]


def parse_tables(query: str) -> set[str]:
    """Return the names of all tables of a query."""
    return {table for select in parse_selects(query) for table in select.tables.values()}


def _parse_select(text: str, offset: int) -> ParsedSelect:
    before = _match_end(UNION_MODE_RE, text)
    text, begin = text[before:].rstrip(), offset + before
    if text.startswith("(") and text.endswith(")"):
        text, begin = text[1:-1], begin + 1
    clauses = {"columns": "", "source": "", "condition": ""}
    names = {"from": "source", "where": "condition"}
    clause, position = "columns", 0
    for start, end, word in _iter_top_level_tokens(text):
        if word not in CLAUSE_KEYWORDS:
            continue
        clauses[clause] += text[position:start]
        clause, position = names.get(word, "condition"), end
    clauses[clause] += text[position:]
    begin += _match_end(SELECT_KEYWORD_RE, text)
    columns = SELECT_KEYWORD_RE.sub("", clauses["columns"], count=1).strip()
    source, condition = clauses["source"].strip(), clauses["condition"].strip()
    return ParsedSelect(columns, source, condition, text, begin, begin + len(columns))


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.match(text)
    return found.end() if found else 0


def _split_at_keyword(text: str, separator: str) -> list[tuple[int, str]]:
    """Split at a top-level word; return each part with its position."""
    parts: list[tuple[int, str]] = []
    position = 0
    for start, end, word in _iter_top_level_tokens(text):
        if word == separator:
            parts.append((position, text[position:start]))
            position = end
    return [*parts, (position, text[position:])]


def _iter_top_level_tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and lower-case text of the tokens outside of strings and parentheses."""
    level = 0
    for token in TOKEN_RE.finditer(text):
        level += (token[0] == "(") - (token[0] == ")")
        if level == 0:
            yield token.start(), token.end(), token[0].lower()


def parse_columns(columns: str) -> list[tuple[str, str]]:
    """Return (expression, name) of each column: `CONCAT(a, b) AS home` → (…, "home")."""
    found = []
    for part in split_columns(columns):
        named = re.fullmatch(r"(.*?[\s)'])(?:as\s+)?([\w`\"]+)", part, re.IGNORECASE | re.DOTALL)
        if named and not named[1].strip().lower().endswith((",", " as")):
            expression = re.sub(r"\s+as$", "", named[1].strip(), flags=re.IGNORECASE)
            found.append((expression, unquote_identifier(named[2])))
        else:
            found.append((part, unquote_identifier(part).rpartition(".")[2]))
    return found


def split_columns(columns: str) -> list[str]:
    """Split at commas outside of strings and parentheses."""
    parts, position = [], 0
    for start, end, word in _iter_top_level_tokens(columns):
        if word == ",":
            parts.append(columns[position:start].strip())
            position = end
    return [*parts, columns[position:].strip()]
