"""Ten pages compared with pictures of them: a broken layout is found, another font is not.

A picture is kept as its brightness in 32 × 24 fields. After a change of the design write them anew:
`WRITE_PICTURES=1 tests/run tests/browser/test_pictures.py`, and look at the pages.
"""

import base64
import json
import os
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.mariadb]
FILE = Path(__file__).parent / "pictures.json"
PAGES = {
    "home": "/",
    "domains": "/domains/",
    "domain": "/domains/example.org/",
    "mailboxes": "/mailboxes/",
    "mailbox": "/mailboxes/bob@example.org/edit/",
    "new mailbox": "/mailboxes/create/?domain=example.org",
    "aliases": "/aliases/",
    "explain": "/explain/",
    "tokens": "/account/tokens/",
    "import": "/import/",
}
WIDTH, HEIGHT = 32, 24
# Mean and largest difference of brightness (0 to 255) that passes; another font makes 0.4 and 11.
MEAN, LARGEST = 1, 30
SHRINK = """async ([picture, width, height]) => {
    const image = new Image();
    image.src = picture;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, width, height);
    const data = context.getImageData(0, 0, width, height).data;
    return Array.from({ length: width * height }, (_, n) =>
        Math.round(0.3 * data[4 * n] + 0.59 * data[4 * n + 1] + 0.11 * data[4 * n + 2]));
}"""


def shrink(visitor, picture):
    """Return the brightness of the fields of a picture."""
    blank = visitor.page.context.new_page()
    address = "data:image/png;base64," + base64.b64encode(picture).decode()
    fields = blank.evaluate(SHRINK, [address, WIDTH, HEIGHT])
    blank.close()
    return fields


def pictures(visitor, style=""):
    visitor.sign_in("root@example.net")
    found = {}
    for name, path in PAGES.items():
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")
        if style:
            visitor.page.evaluate(
                "style => { const sheet = new CSSStyleSheet(); sheet.replaceSync(style);"
                " document.adoptedStyleSheets = [sheet]; }",
                style,
            )
        found[name] = shrink(visitor, visitor.page.screenshot())
    return found


def difference(fields, kept):
    """Return (mean, largest) difference of two pictures."""
    differences = [abs(one - other) for one, other in zip(fields, kept, strict=True)]
    return sum(differences) / len(differences), max(differences)


def broken(found):
    kept = json.loads(FILE.read_text())
    differences = {name: difference(fields, kept[name]) for name, fields in found.items()}
    return {name: d for name, d in differences.items() if d[0] > MEAN or d[1] > LARGEST}


def test_the_pages_look_as_in_their_pictures(visitor):
    found = pictures(visitor)
    if os.environ.get("WRITE_PICTURES"):
        FILE.write_text(json.dumps(found, separators=(",", ":")) + "\n")
    assert broken(found) == {}


@pytest.mark.parametrize(
    "style",
    [".frame { flex-direction: column; }", "main { padding-inline-start: 40%; }"],
    ids=["the menu above the content", "the content moved"],
)
def test_a_broken_layout_is_found(visitor, style):
    assert set(broken(pictures(visitor, style))) == set(PAGES)


def test_another_font_is_none(visitor):
    assert broken(pictures(visitor, "body { font-family: serif; }")) == {}
