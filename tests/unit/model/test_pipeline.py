"""A pipeline's stages are found by name, and its retries are careful unless the file says otherwise."""

from __future__ import annotations

import pytest
from tests.unit.model.builders import PRODUCTION, STAGE_PRODUCTION, a_pipeline

from tidegate.model.ids import StageName
from tidegate.model.pipeline import Retry, RetryCause


def test_a_stage_is_found_by_its_name() -> None:
    assert a_pipeline().stage(STAGE_PRODUCTION).environment == PRODUCTION


def test_a_stage_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="canada"):
        a_pipeline().stage(StageName("canada"))


def test_a_step_is_attempted_once_and_a_failed_one_never_again_unless_the_file_says_so() -> None:
    assert Retry().attempts == 1
    assert RetryCause.FAILED not in Retry().causes
