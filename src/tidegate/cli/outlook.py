"""What `validate` says of a file's canaries before any of them begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidegate.cli.exit_code import CommandFailed, ExitCode

if TYPE_CHECKING:
    from tidegate.judge.foretelling import Traffic
    from tidegate.model.pipeline import Pipeline


def outlook_notes(pipeline: Pipeline, asked: str | None, failing: str) -> Iterator[str]:
    """What each canary can show at last week's traffic, as a server knows it; or at the traffic that is asked about."""
    traffic = _asked(pipeline, asked, failing) if asked else _of_last_week(pipeline)
    if traffic:
        from tidegate.judge.outlook_wording import foretold

        yield from foretold(pipeline, traffic)


def _asked(pipeline: Pipeline, asked: str, failing: str) -> dict[str, Traffic]:
    from tidegate.judge.foretelling import Traffic
    from tidegate.model.quantity import parse_percentage, parse_rate

    try:
        per_second, error_rate = parse_rate(asked), parse_percentage(failing)
    except ValueError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "tidegate validate --traffic 20/m --errors 0.1%") from error
    return {stage.environment: Traffic(per_second * 60, error_rate) for stage in pipeline.stages}


def _of_last_week(pipeline: Pipeline) -> dict[str, Traffic]:
    """Nothing where no server answers, or none knows the service: the file is valid all the same."""
    from tidegate.cli.client import find_client
    from tidegate.judge.foretelling import Traffic
    from tidegate.model.traffic import LEAST_TO_FORETELL

    try:
        found = find_client(None).items("services", pipeline.service, "traffic")
    except CommandFailed:
        return {}
    return {
        one["environment"]: Traffic(one["per_minute"], one["errors"] / one["requests"])
        for one in found
        if one["requests"] >= LEAST_TO_FORETELL
    }
