"""As much of a query as a reader of configurations wants: what, from where, if what."""

import re
from dataclasses import dataclass

WORD = r"[\w$`\"]+(?:\.[\w$`\"]+)?"
SOURCE = re.compile(
    rf"(?:^|,|\bjoin\b)\s*({WORD})(?:\s+(?:as\s+)?(?!on\b|using\b|left\b|right\b|inner\b|outer\b"
    rf"|cross\b|join\b|natural\b|straight_join\b)([\w`\"]+))?",
    re.IGNORECASE,
)
CLAUSES = ("union", "from", "where", "group", "having", "order", "limit", "procedure")
BEFORE_SELECT = re.compile(r"\s*(?:(?:all|distinct)\b\s*(?=\(|select\b))?", re.IGNORECASE)
BEFORE_COLUMNS = re.compile(r"\s*(?:select\s+(?:distinct\s+)?)?", re.IGNORECASE)
TOKEN = re.compile(r"'(?:[^'\\]|\\.|'')*'|[\w`\".$%{}@|:#]+|.", re.DOTALL)


@dataclass(frozen=True)
class Select:
    """One SELECT of a query that may unite several."""

    columns: str
    source: str
    condition: str
    whole: str
    start: int  # where its columns are in the query
    end: int

    @property
    def tables(self):
        """Name in the query (an alias, if it has one) → name of the table."""
        found = {}
        for name, alias in SOURCE.findall(flat(unstrung(self.source))):
            name = unquoted(name).rpartition(".")[2]
            found[unquoted(alias) or name] = name
        return found

    def asks(self, column, name=None):
        """Whether a column is asked: that of a table by its name in the query, if that is said."""
        text = f"{self.source} {self.condition}"
        plain = rf"(?<![\w.`\"]){column_pattern(column)}"
        owned = rf"(?<![\w`\"]){column_pattern(name or '')}\s*\.\s*{column_pattern(column)}"
        patterns = [owned] if name else [plain, rf"\.\s*{column_pattern(column)}"]
        if name and len(self.tables) == 1:
            patterns.append(plain)
        return any(re.search(pattern, unstrung(text), re.IGNORECASE) for pattern in patterns)


def flat(text):
    """The text without what stands in brackets."""
    inner = None
    while inner != text:
        inner, text = text, re.sub(r"\([^()]*\)", "", text)
    return text


def column_pattern(name):
    return rf"[`\"]?{re.escape(name)}[`\"]?(?![\w`\"])"


def unquoted(name):
    return name.replace("`", "").replace('"', "").lower()


def unstrung(text):
    """The text without what its strings say."""
    return re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", text)


def selects(query):
    """Each SELECT that a query unites."""
    return [_select(part, place) for place, part in _parts(query, "union") if part.strip()]


def _select(text, place_in_query):
    before = BEFORE_SELECT.match(text).end()
    text, begin = text[before:].rstrip(), place_in_query + before
    if text.startswith("(") and text.endswith(")"):
        text, begin = text[1:-1], begin + 1
    pieces = {"columns": "", "source": "", "condition": ""}
    names = {"from": "source", "where": "condition"}
    at, place = "columns", 0
    for start, end, word in _top_level_words(text):
        if word not in CLAUSES:
            continue
        pieces[at] += text[place:start]
        at, place = names.get(word, "condition"), end
    pieces[at] += text[place:]
    begin += BEFORE_COLUMNS.match(text).end()
    columns = BEFORE_COLUMNS.sub("", pieces["columns"], count=1).strip()
    source, condition = pieces["source"].strip(), pieces["condition"].strip()
    return Select(columns, source, condition, text, begin, begin + len(columns))


def _parts(text, separator):
    """What a word parts, each part with its place."""
    parts, place = [], 0
    for start, end, word in _top_level_words(text):
        if word == separator:
            parts.append((place, text[place:start]))
            place = end
    return [*parts, (place, text[place:])]


def _top_level_words(text):
    """Words outside of strings and brackets, lower case, with their places."""
    level = 0
    for token in TOKEN.finditer(text):
        level += (token[0] == "(") - (token[0] == ")")
        if level == 0:
            yield token.start(), token.end(), token[0].lower()


def column_names(columns):
    """Each selected expression with the name it gets: `CONCAT(a, b) AS home` → (…, "home")."""
    found = []
    for part in split_list(columns):
        named = re.fullmatch(r"(.*?[\s)'])(?:as\s+)?([\w`\"]+)", part, re.IGNORECASE | re.DOTALL)
        if named and not named[1].strip().lower().endswith((",", " as")):
            expression = re.sub(r"\s+as$", "", named[1].strip(), flags=re.IGNORECASE)
            found.append((expression, unquoted(named[2])))
        else:
            found.append((part, unquoted(part).rpartition(".")[2]))
    return found


def split_list(columns):
    """What commas part, outside of strings and brackets."""
    parts, place = [], 0
    for start, end, word in _top_level_words(columns):
        if word == ",":
            parts.append(columns[place:start].strip())
            place = end
    return [*parts, columns[place:].strip()]
