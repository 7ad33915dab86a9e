"""A burst of refused keys shuts every model out; what one model alone does not permit shuts nobody out."""

from __future__ import annotations

import pytest

from router.decide.breaker import Credential, Sign

REFUSED, FORBIDDEN = Sign.SHUT_OUT, Sign.FORBIDDEN


def shut(now_s: float = 100.0) -> Credential:
    key = Credential()
    assert [False] * 4 + [True] == [key.ended("haiku", REFUSED, now_s) for _ in range(5)]
    return key


def test_one_is_tried_every_five_seconds_until_one_is_answered() -> None:
    key = shut(104.0)
    probes = []
    for tenth in range(1, 301):
        now_s = 104.0 + tenth / 10
        if not key.wait_s(now_s):
            assert key.enter(now_s)
            probes.append(now_s)
            key.ended("haiku", REFUSED, now_s)
    assert pytest.approx([109.0, 114.0, 119.0, 124.0, 129.0, 134.0], abs=0.11) == probes
    assert key.answers(135.0, True)
    assert (key.shut, key.wait_s(135.0)) == (False, 0.0)


def test_refused_keys_are_no_outage_when_they_are_rare_or_when_others_are_answered_in_between() -> None:
    key = Credential()
    assert not any(key.ended("haiku", REFUSED, at) for at in (0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0))
    key = Credential()
    for at in range(50):
        assert not key.ended("haiku", REFUSED, at / 10)
        assert not key.answers(at / 10 + 0.05, False)


def test_what_one_model_does_not_permit_shuts_nobody_out_however_often() -> None:
    key = Credential()
    assert not any(key.ended("opus", FORBIDDEN, 100.0 + at / 10) for at in range(100))


def test_what_two_models_do_not_permit_is_a_matter_of_the_key() -> None:
    key = Credential()
    for at in range(4):
        assert not key.ended("opus", FORBIDDEN, 100.0 + at)
    assert key.ended("haiku", FORBIDDEN, 104.0)
    rare = Credential()
    assert not any(rare.ended("opus", FORBIDDEN, 100.0 + at) for at in range(5))
    assert not rare.ended("haiku", FORBIDDEN, 115.0), "the other one said it too long ago"


def test_refusals_of_the_key_are_seen_among_many_of_one_models_permissions() -> None:
    key, shut_at = Credential(), []
    for at in range(50):
        key.ended("opus", FORBIDDEN, 100.0 + at / 10)
        if at % 10 == 0 and key.ended("opus", REFUSED, 100.0 + at / 10):
            shut_at.append(at)
    assert [40] == shut_at


def test_a_call_from_before_it_was_shut_proves_nothing_of_it() -> None:
    key = shut(100.0)
    assert not key.answers(99.0, False)
    assert key.shut
    assert key.answers(100.5, False), "sent since, and answered"
    assert not key.ended("haiku", REFUSED, 101.0), "and what was before is forgotten"
