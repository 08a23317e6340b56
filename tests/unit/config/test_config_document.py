"""Reading YAML: positions, limits, and text that is no YAML."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tidegate.config.document import LARGEST_FILE, decode, read
from tidegate.config.problem import ConfigError, Position


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, "f.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


def test_values_mean_what_yaml_1_2_says() -> None:
    text = "a: on\nb: yes\nc: 12:30\nd: 0o17\ne: 010\nf: 1.10\ng: ~\nh: 'true'\ni: TRUE\nj: 2001-01-01\nk: 0x1f\n"
    assert read(text, "f.yaml").plain() == {
        **{"a": "on", "b": "yes", "c": "12:30", "d": 15, "e": 10, "f": 1.1, "g": None},
        **{"h": "true", "i": True, "j": "2001-01-01", "k": 31},
    }


def test_each_value_and_each_key_has_its_position() -> None:
    document = read("a:\n  - b: x\n    cd: [1, 2]\n", "f.yaml")
    assert document.node(("a", 0, "cd", 1)).position == Position(3, 13)
    assert document.key(("a", 0, "cd")) == Position(3, 5)
    assert document.key(()) == Position(1, 1)


def test_a_place_that_the_file_does_not_have_is_the_nearest_around_it() -> None:
    assert read("a:\n  b: {c: 1}\n", "f.yaml").node(("a", "b", "x", 3)).position == Position(2, 6)


def test_positions_are_those_of_an_editor_with_windows_line_ends_and_a_byte_order_mark() -> None:
    document = read("\ufeffa: 1\r\nbb: 'ü'\r\nc: x\r\n", "f.yaml")
    assert document.node(("bb",)).position == Position(2, 5)
    assert document.node(("c",)).position == Position(3, 4)


def test_an_alias_repeats_what_its_anchor_names() -> None:
    assert read("a: &x [1, 2]\nb: *x\n", "f.yaml").plain() == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'f.yaml:1:1: the file is empty ("tidegate init" writes a first one)'),
        ("# nothing\n", 'f.yaml:1:1: the file is empty ("tidegate init" writes a first one)'),
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab where YAML allows none (indent with spaces)"),
        (
            "run: echo: x\n",
            "f.yaml:1:10: this is not YAML: a second ':' in one line (put the text in quotes, or begin it with \"|\")",
        ),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here (keep one in a file)"),
        (
            "a: *b\n",
            'f.yaml:1:4: there is no anchor "&b" before this (text that begins with "*" needs quotes, like "*.py")',
        ),
        (
            "a: [@x]\n",
            "f.yaml:1:5: this is not YAML: while scanning for the next token, found character '@' that cannot"
            ' start any token (text that begins with "@" needs quotes)',
        ),
        ("a: &b [*b]\n", 'f.yaml:1:8: "*b" stands inside of what it names'),
        ("a: \x07\n", "f.yaml:1:4: a character that no YAML file may hold: U+0007"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place_and_remedy(text: str, message: str) -> None:
    assert refusal(text) == message


def test_an_open_quote_is_told_with_the_line_in_which_it_began() -> None:
    assert "began in line 2" in refusal("a: 1\nb: 'x\nc: 2\n")


def test_text_that_is_not_utf_8_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        decode(b"a: 1\nb: \xff\n", "f.yaml")
    assert str(caught.value) == "f.yaml:2:4: this is not UTF-8 (save the file as UTF-8 text)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", 'f.yaml:2:1: the key "a" is here twice; the first is in line 1'),
        ("? [x]\n: 1\n", "f.yaml:1:3: a key must be a word, not a list or a mapping"),
        ("a: &x {}\nb:\n  <<: *x\n", 'f.yaml:3:3: the merge key "<<" is not part of YAML 1.2 (write the keys out)'),
        ("a: !env X\n", 'f.yaml:1:4: the tag "!env" is not supported (write the value without it)'),
        (
            "a:\n- x\n- !docs/*.md\n",
            'f.yaml:3:3: the tag "!docs/*.md" is not supported (text that begins with "!" needs quotes: "!docs/*.md")',
        ),
        ('a: "x\\0"\n', "f.yaml:1:4: text with a NUL or half of a surrogate pair cannot be used"),
        (f"a: {'9' * 5000}\n", "f.yaml:1:4: the number 99999999999999999999… has too many digits"),
    ],
)
def test_what_is_wrong_but_leaves_the_rest_readable_is_noted(text: str, message: str) -> None:
    assert [str(problem) for problem in read(text, "f.yaml").problems] == [message]


def test_every_duplicate_key_is_noted_not_only_the_first() -> None:
    problems = read("a: 1\na: 2\nb: {c: 1, c: 2}\n", "f.yaml").problems
    assert [(one.line, one.column) for one in problems] == [(2, 1), (3, 11)]


LETTERS = "abcdefghijklmnop"
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n" for before, name in pairwise(LETTERS)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "too many values (aliases count each time): the limit is 20,000"),
        ("[" * 100_000, "nested too deeply: the limit is 32 levels"),
        ("- " * 100_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
        ("a: [" + "1," * 100_000, "too many values"),
        ("x" * (LARGEST_FILE + 1), "the file is too large: 262,145 characters, the limit is 262,144"),
        ("? " * 100_000, "nested too deeply"),
    ],
)
def test_a_hostile_file_is_refused_quickly(text: str, words: str) -> None:
    begin = time.process_time()
    assert words in refusal(text)
    assert time.process_time() - begin < 10, "seconds of processor time; it is under one on a slow machine"
