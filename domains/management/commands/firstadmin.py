"""`firstadmin`: create a superadmin if there is none."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from domains.models import Admin
from domains.services.admins import create_admins
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform


class Command(BaseCommand):
    help = "Create the superadmin MAILADMIN_ADMIN, unless a superadmin exists."

    def handle(self, *args: Any, **options: Any) -> None:
        if Admin.objects.superadmins().exists():
            return
        if password := settings.MAILADMIN_ADMIN_PASSWORD:
            create_first_admin(password)
            self.report("has the password set in MAILADMIN_ADMIN_PASSWORD.")
        elif self.stdout.isatty():
            create_first_admin(password := passwords.generate_password())
            self.report(f"has the password {password} (shown only once).")
        else:
            # The file first: no account may have a password that nobody can read.
            path = write_password_file(password := passwords.generate_password())
            create_first_admin(password)
            self.report(f"has the password in {path}; delete the file after reading it.")

    def report(self, text: str) -> None:
        self.stdout.write(f"mailadmin: the superadmin {settings.MAILADMIN_ADMIN} {text}")


def create_first_admin(password: str) -> None:
    """Create the superadmin; the rules for passwords apply only to forms, not to the console."""
    try:
        stored = passwords.make_hash(password, settings.MAILADMIN_ADMIN)
        row = {"username": settings.MAILADMIN_ADMIN, "password": stored, "superadmin": True}
        perform(Actor.console(), create_admins, [row])
    except ValidationError as error:
        raise CommandError(f"MAILADMIN_ADMIN: {' '.join(error.messages)}") from None


def write_password_file(password: str) -> Path:
    """Write the password to a file for this user only, beside the SQLite database or the panel."""
    database = settings.DATABASES["default"]["NAME"]
    folder = database.parent if isinstance(database, Path) else settings.BASE_DIR
    path = folder / "first-admin-password"
    try:
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{password}\n")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; set MAILADMIN_ADMIN_PASSWORD") from None
    return path
