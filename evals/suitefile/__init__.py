"""Suites as files: a folder with suite.yaml and cases.jsonl becomes one checked, frozen Suite.

    loading.py     the way from the folder to the Suite, its order and its hash
    record.py      what suite.yaml may say          crosschecks.py  what no single key shows
    cases.py       what a case must have            advice.py       held against a policy
    jsonlines.py   JSON, a line at a time           labels.py       what people said of answers

Rule: a message names the file, the line and the cure; it never holds the text of a case.
"""

from ..errors import SuiteError
from ..template import rendered
from .advice import advise
from .labels import HumanLabel, human_labels, text_hash
from .loading import CASES_FILE, SUITE_FILE, SUITES, folders_of, load_suite, load_suites

__all__ = [
    "CASES_FILE", "SUITES", "SUITE_FILE", "HumanLabel", "SuiteError", "advise", "folders_of", "human_labels",
    "load_suite", "load_suites", "rendered", "text_hash",
]  # fmt: skip
