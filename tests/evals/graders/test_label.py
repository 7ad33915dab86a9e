"""A label is found however it is dressed, and never where it could be another."""

from __future__ import annotations

import pytest

from tests.evals.graders.asked import flaws, form, grade, passes

LABELS = ["refund", "refund_request", "billing", "technical bug"]
LABEL = form("label", {"labels": LABELS})


@pytest.mark.parametrize(
    "text",
    [
        "refund_request",
        "  Refund_Request.\n",
        '"refund request"',
        "**refund-request**",
        "`REFUND_REQUEST`",
        '{"answer": "refund_request"}',
        '```json\n{"category": "refund_request", "reason": "not billing, she wants her money back"}\n```',
        '["refund_request"]',
        '"refund_request"',
        "Category: refund_request",
        "The category is refund_request, because the customer wants the money back.",
        "It could be billing or technical bug.\n\nAnswer: refund_request",
        "refund_request\n\nThe charge is right, so it is not billing.",
        "Billing is close, but in the end:\nrefund_request",
        "This is not billing but refund request.",
        "**Answer:** refund_request",
    ],
)
def test_the_label_is_read(text: str) -> None:
    assert passes(LABEL, "refund_request", text), grade(LABEL, "refund_request", text).why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("refund", "refund, not refund_request"),
        ("refund_request or billing", "it could be refund_request or billing"),
        ('{"answer": ["refund_request", "billing"]}', "it could be refund_request or billing"),
        ("refund_request\nbilling", "it could be billing or refund_request"),
        ("This is not a refund_request.", "`This is not a refund_request.` names none of the labels"),
        ("It isn't refund_request", "`It isn't refund_request` names none of the labels"),
        ("prerefund_requests", "`prerefund_requests` names none of the labels"),
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        ("{}", "`{}` names none of the labels"),
        ("I cannot sort this ticket.", "`I cannot sort this ticket.` names none of the labels"),
    ],
)
def test_what_is_no_label_or_two_fails_and_says_why(text: str, why: str) -> None:
    assert (False, why) == (grade(LABEL, "refund_request", text).passed, grade(LABEL, "refund_request", text).why)


def test_a_longer_label_is_not_taken_for_the_shorter_one_inside_it() -> None:
    assert not passes(LABEL, "refund", "The ticket is a refund_request.")
    assert passes(form("label", {"labels": ["C", "C++"]}), "C++", "It is written in C++.")


def test_labels_that_are_read_alike_are_refused() -> None:
    assert ["is read like `Bug`; labels must differ by more than form"] == flaws(
        form("label", {"labels": ["Bug", "fix", "bug."]})
    )
    assert ["takes two labels or more"] == flaws(form("label", {"labels": ["one"]}))
    assert ["a label must have a letter or a digit"] == flaws(form("label", {"labels": ["a", "..."]}))


def test_an_expected_value_must_be_a_label_and_the_nearest_is_named() -> None:
    assert LABEL.misfit("billing") is None
    assert "is none of the 4 labels: `biling` (did you mean `billing`?)" == LABEL.misfit("biling")
    assert "is none of the 4 labels: `3`" == LABEL.misfit(3)


def test_a_very_long_answer_is_read_in_no_time() -> None:
    assert not passes(LABEL, "refund", "not a refund_request " * 20_000)
    assert not passes(LABEL, "refund", "{" * 50_000 + "[" * 50_000)
