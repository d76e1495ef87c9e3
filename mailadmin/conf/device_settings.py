"""The settings about mail programs and their sign-ins."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import integer_parser

DEVICE_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_LAST_LOGIN_DAYS",
        "400",
        integer_parser(),
        "number of days for which the last sign-ins of mail programs are kept; 0: they are not"
        " recorded (run `mailserver config` again after a change from or to 0)",
    ),
)
