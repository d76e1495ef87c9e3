"""Icons are drawn from one file, which holds all that are shipped."""

from django.test import SimpleTestCase

from mailadmin import icons


class IconTests(SimpleTestCase):
    def test_the_file_holds_the_shipped_icons(self) -> None:
        """`python -m mailadmin.icons` writes it."""
        self.assertEqual(icons.SPRITE_PATH.read_text(), icons.build_sprite())

    def test_an_unknown_icon_is_an_error(self) -> None:
        with self.assertRaisesMessage(ValueError, "There is no icon “nothing”"):
            icons.icon("nothing")
