"""`makemigrations`, which leaves out the columns that an operator has added."""

from django.core.management.commands import makemigrations

from mailadmin.db.autodetector import OwnColumnAutodetector


class Command(makemigrations.Command):
    autodetector = OwnColumnAutodetector
