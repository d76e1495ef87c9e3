"""Workers that are killed, and several at one queue: no mail is lost, nor sent twice by mistake."""

import json
import os
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from tests.legacy_databases import environment


@pytest.fixture
def run(request, tmp_path):
    """Run `tests.killed_workers` on an empty database; return what it prints."""
    if os.environ["TEST_DATABASE"] == "sqlite":
        url = f"sqlite://{tmp_path}/mailadmin.sqlite3"
    else:
        url = request.getfixturevalue("empty_database")

    def run(kind):
        for arguments in (["manage.py", "migrate"], ["-m", "tests.killed_workers", kind]):
            result = subprocess.run(
                [sys.executable, *arguments],
                env=environment(MAILADMIN_DATABASE_URL=url, MAILADMIN_LOG_LEVEL="ERROR"),
                cwd=BASE_DIR,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


def test_a_mail_whose_worker_is_killed_at_any_step_arrives(run):
    """Twice only if the server had accepted it, and the worker had not recorded that yet."""
    *killed, complete = run("killed")
    assert len(killed) > 15
    assert complete["accepted"] == 1
    steps = [each["step"] for each in killed]
    for each in killed:
        assert each["final_state"] == "sent", each
        assert len(each["ids"]) == 1, each
        assert each["accepted"] == 1 + (each["accepted_before"] and each["state"] != "sent"), each
    numbers = [number for number, each in enumerate(killed) if each["accepted"] == 2]
    assert numbers == list(range(numbers[0], numbers[0] + 3)), "one window without gaps"
    twice = [steps[number] for number in numbers]
    assert "250 2.0.0 taken" in twice[1]
    assert twice[0] == "wait for a reply", "after the last byte of the content"
    assert twice[-1].startswith("statement UPDATE"), "the statement that records it"


def test_the_lease_is_committed_before_the_server_hears_of_the_mail(run):
    states = {each["step"]: each["state"] for each in run("killed")[:-1]}
    for step, state in states.items():
        if step.startswith("send"):
            assert state == ("sent" if "quit" in step.lower() else "sending"), step


def test_several_workers_send_each_mail_once(run):
    assert run("several") == {"arrived": 60, "different": 60, "states": ["sent"]}
