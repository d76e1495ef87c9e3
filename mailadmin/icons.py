"""Icons: one file holds all of them. `python -m mailadmin.icons` writes it from Bootstrap Icons."""

import functools
import re
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

ICON_DIR = settings.BASE_DIR / "static/vendor/bootstrap-icons-1.13.2/icons"
SPRITE = "img/icons.svg"
SPRITE_PATH = settings.BASE_DIR / "static" / SPRITE
SVG_RE = re.compile(r'<svg .*?viewBox="(?P<box>[^"]+)">(?P<shapes>.*)</svg>', re.DOTALL)


@functools.cache
def icon(name: str) -> SafeString:
    """Return an icon, hidden from screen readers."""
    if not (ICON_DIR / f"{name}.svg").is_file():
        raise ValueError(f"There is no icon “{name}” in {ICON_DIR}.")
    url = static(SPRITE)
    return mark_safe(  # noqa: S308 (a name of ours)
        f'<svg class="icon" aria-hidden="true"><use href="{url}#{name}"/></svg>'
    )


def build_sprite() -> str:
    """Return all icons as the symbols of one SVG file."""
    symbols = "\n".join(build_symbol(path) for path in sorted(ICON_DIR.glob("*.svg")))
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def build_symbol(path: Path) -> str:
    match = SVG_RE.search(path.read_text())
    if not match:
        raise ValueError(f"{path} is no icon with a viewBox.")
    shapes = "".join(line.strip() for line in match["shapes"].splitlines())
    return f'<symbol id="{path.stem}" viewBox="{match["box"]}">{shapes}</symbol>'


if __name__ == "__main__":
    SPRITE_PATH.write_text(build_sprite())
