"""What the files say of time: what it becomes, and what is told of what is wrong, where, with the nearest word."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from tidegate.config import server_yaml
from tidegate.config.problem import ConfigError
from tidegate.config.tidegate_yaml import load
from tidegate.model.calendar import Calendar, Days
from tidegate.model.external import ExternalRule
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName
from tidegate.model.schedule import Schedule
from tidegate.model.window import Hours, Weekday, Window

HEAD = "service: shop\nbuild: {steps: [{name: a, run: x}]}\nruntime: {command: x}\n"
STAGE = HEAD + "stages:\n  - name: live\n    environment: production\n    gate:\n      "
ENVIRONMENTS = server_yaml.load(
    "environments: {production: {protected: true}}\n"
    "calendars: {holidays-uk: {dates: [2026-12-25], timezone: Europe/London}}\n"
).environments


def gate(text: str) -> GateRules:
    return load(STAGE + text + "\n", environments=ENVIRONMENTS).stages[0].gate


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        gate(text)
    return [str(one) for one in caught.value.problems]


def test_a_gate_is_told_its_times() -> None:
    rules = gate(
        "window: {days: [thu, mon, mon], hours: 9:00 – 16:30, timezone: Europe/London, "
        "except: [2026-12-24, holidays-uk]}\n"
        "      schedule: {cron: ' 0 9  * * MON-thu', timezone: UTC, for: 90m}\n"
        "      external: {url: 'https://t.example.com/x?y=1', secret: KEY}"
    )
    (window,) = rules.windows
    assert window == Window(
        "Europe/London",
        (Weekday.THU, Weekday.MON),
        Hours(time(9), time(16, 30)),
        (Days(date(2026, 12, 24), date(2026, 12, 24)),),
        ("holidays-uk",),
    )
    assert rules.schedule == Schedule("0 9 * * MON-thu", "UTC", timedelta(minutes=90))
    assert rules.external == ExternalRule("https://t.example.com/x?y=1", "KEY", timedelta(hours=1))


def test_a_gate_may_have_several_windows() -> None:
    rules = gate(
        "window: [{timezone: UTC}, {hours: 22:00-02:00, timezone: Asia/Tokyo}, {hours: 08:00-24:00, timezone: UTC}]"
    )
    assert [str(one) for one in rules.windows] == [
        "every day 00:00–24:00 (UTC)",
        "every day 22:00–02:00 (Asia/Tokyo)",
        "every day 08:00–24:00 (UTC)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "window: {timezone: Europe/Londn}",
            '8:26: there is no time zone "Europe/Londn" (did you mean "Europe/London"?)',
        ),
        ("window: {timezone: london}", '8:26: there is no time zone "london" (did you mean "Europe/London"?)'),
        ("window: {timezone: ../../etc/passwd}", '8:26: there is no time zone "../../etc/passwd"'),
        ("window: {}", '8:15: "timezone" is missing'),
        ("window: {timezone: UTC, days: []}", '8:37: "days" is empty'),
        ("window: {timezone: UTC, days: [monday]}", '8:38: "monday" is none of "mon", "tue"'),
        ("window: {timezone: UTC, hours: 9-16}", '8:38: "9-16" are no hours (write them like "09:00-16:30")'),
        ("window: {timezone: UTC, hours: 09:00-25:00}", '8:38: "09:00-25:00": there is no 25:00 on a clock'),
        ("window: {timezone: UTC, hours: 09:00-09:00}", '8:38: "09:00-09:00" is no time at all'),
        ("window: {timezone: UTC, hours: 24:00-09:00}", '8:38: "24:00-09:00" is no time at all (begin at 00:00)'),
        ("window: {timezone: UTC, except: [2026-02-30]}", '8:40: "2026-02-30" is no date: there is no such day'),
        ("window: {timezone: UTC, except: [holidays-us]}", '8:40: there is no calendar "holidays-us" (did you mean'),
        ("window: [{timezone: UTC}, {timezone: UTC, hurs: x}]", '8:49: unknown key "hurs" (did you mean "hours"?)'),
        ("window: [{timezone: UTC}, {timezone: Europe/Pariss}]", '8:44: there is no time zone "Europe/Pariss"'),
        ("window: []", '8:15: "window" is empty'),
        ("policy: []", '8:15: "policy" is empty'),
        ("window: 09:00-16:30", "8:15: expected a list, found the text"),
        ("schedule: {cron: 0 0 31 2 *, timezone: UTC}", '8:24: "0 0 31 2 *" is no schedule: there is no such day'),
        (
            "schedule: {cron: 0 9 * * mond, timezone: UTC}",
            '8:24: "0 9 * * mond" is no schedule: "mond" is no day of the',
        ),
        ("schedule: {cron: 0 9 * *, timezone: UTC}", '8:24: "0 9 * *" is no schedule: a schedule has five fields'),
        ("schedule: {cron: 0 9 * * *, timezone: UTC, for: 0s}", "8:55: '0s' is no time at all"),
        ("schedule: {cron: 0 9 * * *, timezone: UTC, for: 2y}", "8:55: '2y' is not a"),
        ("external: {url: ftp://x, secret: K}", '8:23: "ftp://x" is no http:// or https:// address'),
        ("external: {url: 'https://a:b@x.example', secret: K}", "8:23: an address in a file holds no password"),
        ("external: {url: 'https://x.example/#a', secret: K}", "8:23: an address in a file holds no password"),
        ("external: {url: 'https://x example', secret: K}", "8:23: an address has no spaces"),
        ("external: {url: 'https://x.example', secret: a-b}", '8:52: "a-b" is not the name of a secret'),
        ("external: {url: 'https://x.example'}", '8:17: "secret" is missing'),
    ],
)
def test_what_is_wrong_with_a_gates_times_is_told_with_its_place(text: str, problem: str) -> None:
    (only,) = problems(text)
    assert only.startswith(f"tidegate.yaml:{problem}"), only


def test_everything_wrong_is_told_at_once() -> None:
    told = problems(
        "window: {timezone: Nowhere, hours: x, except: [2026-13-01]}\n      schedule: {cron: x, timezone: y}"
    )
    assert len(told) == 5


def server_problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        server_yaml.load(text, "s.yaml")
    return [str(one) for one in caught.value.problems]


def test_the_server_has_calendars_freezes_and_windows_that_use_them() -> None:
    configuration = server_yaml.load(
        "environments:\n"
        "  production:\n"
        "    protected: true\n"
        "    gate: {window: {timezone: Europe/London, except: [closed]}}\n"
        "    freezes:\n"
        "      - {from: 2026-07-01, to: 2026-07-02, timezone: Europe/London, reason: a, services: [shop, site]}\n"
        "      - {from: 2026-07-01 09:00, to: 2026-07-01T12:00Z, timezone: Europe/London, reason: b}\n"
        "      - {calendar: closed, reason: c}\n"
        "calendars:\n"
        "  closed: {dates: [2026-12-25], ranges: [{from: 2026-08-01, to: 2026-08-03}], timezone: Asia/Tokyo}\n"
        "external: {hosts: ['*.example.com']}\n"
        "address: https://tidegate.example.com\n"
    )
    assert configuration.hosts == ("*.example.com",)
    assert configuration.address == "https://tidegate.example.com"
    production = configuration.environments[EnvironmentName("production")]
    days = (Days(date(2026, 8, 1), date(2026, 8, 3)), Days(date(2026, 12, 25), date(2026, 12, 25)))
    assert production.calendars == (Calendar("closed", "Asia/Tokyo", days),)
    assert [(one.reason, one.service, one.begins, one.ends) for one in production.freezes] == [
        ("a", "shop", datetime(2026, 6, 30, 23, tzinfo=UTC), datetime(2026, 7, 2, 23, tzinfo=UTC)),
        ("a", "site", datetime(2026, 6, 30, 23, tzinfo=UTC), datetime(2026, 7, 2, 23, tzinfo=UTC)),
        ("b", None, datetime(2026, 7, 1, 8, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("c", None, datetime(2026, 7, 31, 15, tzinfo=UTC), datetime(2026, 8, 3, 15, tzinfo=UTC)),
        ("c", None, datetime(2026, 12, 24, 15, tzinfo=UTC), datetime(2026, 12, 25, 15, tzinfo=UTC)),
    ]
    assert len({one.id for one in production.freezes}) == 5
    assert [one.name for one in production.floors] == ["environment production"]


@pytest.mark.parametrize(
    ("freeze", "problem"),
    [
        ("{from: 2026-07-01, to: 2026-07-02, reason: a}", '"timezone" is missing'),
        ("{from: 2026-07-02, to: 2026-07-01, timezone: UTC, reason: a}", "it ends before it begins"),
        ("{from: 2026-07-01, timezone: UTC, reason: a}", 'a freeze needs "from" and "to", or a "calendar"'),
        ("{calendar: x, from: 2026-07-01, reason: a}", '"calendar" says when'),
        ("{calendar: hols, reason: a}", 'there is no calendar "hols" (did you mean "hols-uk"?)'),
        ("{from: 2026-07-01, to: 2026-07-02, timezone: UTC}", '"reason" is missing'),
        ("{from: 2026-07-01, to: 1 July, timezone: UTC, reason: a}", '"1 July" is no day and no time'),
        ("{from: 2026-07-01, to: 2026-07-01 25:00, timezone: UTC, reason: a}", "there is no such time on a clock"),
        ("{from: 9999-12-31, to: 9999-12-31, timezone: UTC, reason: a}", '"9999-12-31" is too far away'),
    ],
)
def test_what_is_wrong_with_a_freeze_is_told(freeze: str, problem: str) -> None:
    calendars = "calendars: {hols-uk: {dates: [2026-12-25], timezone: UTC}}\n"
    text = f"environments: {{a: {{freezes: [{freeze}]}}}}\n{calendars}"
    told = server_problems(text)
    assert problem in told[0], told
    assert told[0].startswith("s.yaml:1:")


def test_a_calendar_without_days_and_a_window_of_no_calendar_are_told() -> None:
    (only,) = server_problems("calendars: {a: {timezone: UTC}}")
    assert "a calendar without days" in only
    (only,) = server_problems("calendars: {a: {timezone: UTC, ranges: [{from: 2026-07-02, to: 2026-07-01}]}}")
    assert "2026-07-01 is before 2026-07-02" in only
    (only,) = server_problems("floors: [{name: f, gate: {window: {timezone: UTC, except: [b]}}}]")
    assert only == 's.yaml:1:60: there is no calendar "b" (the file has none)'
