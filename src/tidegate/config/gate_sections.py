"""The sections of `tidegate.yaml` about gates: what each demands, and who must say yes."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from tidegate.config.cadence_sections import Requires
from tidegate.config.external_sections import ExternalSection
from tidegate.config.one_or_many import OneOrMany
from tidegate.config.policy_sections import Policies
from tidegate.config.section import Section
from tidegate.config.time_sections import MOST_WINDOWS, ScheduleSection, WindowSection
from tidegate.config.values import People, PositiveDuration, TeamWord, wrong

MOST_SOURCES = 50
MOST_GROUPS = 10
"""Teams and accounts that one group names, and groups that one gate asks."""


class ApprovalGroupSection(Section):
    """So many people out of these."""

    count: Annotated[People, Field(description="How many people.")] = 1
    sources: Annotated[
        tuple[TeamWord, ...],
        Field(alias="from", min_length=1, max_length=MOST_SOURCES, description="Teams and accounts that are asked."),
    ]


class ApprovalsSection(Section):
    """People who must say yes."""

    count: Annotated[People, Field(description="How many people.")] = 1
    sources: Annotated[
        tuple[TeamWord, ...],
        Field(
            alias="from",
            min_length=1,
            max_length=MOST_SOURCES,
            description="Teams and accounts that are asked; without it, whoever may approve there.",
        ),
    ] = ()
    all_of: Annotated[
        tuple[ApprovalGroupSection, ...],
        Field(
            min_length=1,
            max_length=MOST_GROUPS,
            description="Groups that are all asked, in the place of `count` and `from`; a person counts for one.",
        ),
    ] = ()
    not_author: Annotated[
        bool, Field(strict=True, description="Nobody who made one of the changes counts; who is not known counts so.")
    ] = False
    not_trigger: Annotated[bool, Field(strict=True, description="Who asked for the run does not count.")] = False
    comment: Annotated[bool, Field(strict=True, description="A yes needs words.")] = False
    delegate: Annotated[
        bool, Field(strict=True, description="Whether somebody may answer in another's place (tidegate delegate).")
    ] = True
    expires: Annotated[
        PositiveDuration | None, Field(description="For how long their word holds; without it, for good.")
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> ApprovalsSection:
        if self.all_of and (self.sources or "count" in self.model_fields_set):
            raise wrong('"all_of" takes the place of "count" and "from"', "write them inside of its groups")
        return self


class GateSection(Section):
    """The condition at the entrance of a stage."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"train"})

    approvals: Annotated[ApprovalsSection | None, Field(description="People who must say yes.")] = None
    window: Annotated[
        tuple[WindowSection, ...],
        OneOrMany(),
        Field(min_length=1, max_length=MOST_WINDOWS, description="Hours in which it may open, or a list of them."),
    ] = ()
    schedule: Annotated[ScheduleSection | None, Field(description="Times at which it opens for a while.")] = None
    external: Annotated[ExternalSection | None, Field(description="An address that must say yes.")] = None
    policy: Annotated[
        Policies, Field(description="What must be true of the evidence: an expression, or several with names.")
    ] = ()
    requires: Requires = Field(default_factory=dict)
