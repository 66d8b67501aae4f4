# SPDX-License-Identifier: Apache-2.0
"""What the runner of the suites counts, seen on suites made up here."""
import pytest

from tests.support import run_suites
from tests.support.run_suites import Report, pytest_suite

ONCE = """
import pathlib
seen = pathlib.Path(__file__).with_name("seen")
def {name}():
    first = not seen.exists()
    seen.touch()
    assert not first{message}
"""


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Runs a suite of one file: its Report."""
    def run(text):
        monkeypatch.setattr(run_suites, "ROOT", tmp_path)
        (tmp_path / "suite").mkdir()
        (tmp_path / "suite/test_it.py").write_text(text)
        report = Report()
        pytest_suite("suite")(report)
        return report
    return run


def test_a_failure_that_does_not_come_again_is_named_and_passes(ran):
    report = ran(ONCE.format(name="test_one", message="") + "\ndef test_two():\n    pass\n")
    assert (report.passed, report.failed) == (2, 0)
    assert report.notes == ["UNSTEADY, passed the second time: suite.test_it.test_one"]


def test_a_failure_that_comes_again_counts(ran):
    report = ran("def test_one():\n    assert 0\ndef test_two():\n    pass\n")
    assert (report.passed, report.failed) == (1, 1)
    assert report.notes == ["FAILED suite.test_it.test_one"]


@pytest.mark.parametrize("message", ["sluiced ended with status -11", "ERROR: AddressSanitizer: heap-use-after-free",
                                     "x.cc:1: runtime error: signed integer overflow"])
def test_a_program_that_died_gets_no_second_try(ran, message):
    report = ran(ONCE.format(name="test_one", message=f", {message!r}"))
    assert (report.passed, report.failed) == (0, 1)


def test_neither_does_a_suite_with_a_bad_set_up(ran):
    report = ran("import pytest\n@pytest.fixture\ndef bad():\n    assert 0\ndef test_one(bad):\n    pass\n"
                 + ONCE.format(name="test_two", message=""))
    assert (report.passed, report.failed) == (0, 2)


def test_many_failures_are_not_bad_luck(ran):
    report = ran("import pathlib, pytest\n@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_one(n):\n"
                 "    seen = pathlib.Path(__file__).with_name(str(n))\n    first = not seen.exists()\n    seen.touch()\n"
                 "    assert not first\n")
    assert (report.passed, report.failed) == (0, 3)
