"""The typed values of a step's keys: patterns of files, images, services, the values of a matrix."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from tidegate.config.values import StepVariable, describe, matching, one_of, relative_path, schema_with, wrong
from tidegate.model.expression import LONGEST_EXPRESSION
from tidegate.model.pipeline import Outdated

LONGEST_VALUE = 100
_LONGEST_IMAGE = 512
MOST_DEPTHS = 2
"""`**` in a pattern. What matching costs grows with each by the length of the path."""

_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_SIDECAR = "[a-z]([a-z0-9_-]{0,30}[a-z0-9])?"
_COMPONENT = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = (
    "([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?"
    f"{_COMPONENT}(/{_COMPONENT})*(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?"
)
"""https://github.com/distribution/reference: a registry, a path in lower case, a tag, a digest."""


def _pattern(value: object, *, leaves_out: bool = False) -> str:
    """A pattern of files below the service's folder; with `leaves_out` it may begin with `!`."""
    if not isinstance(value, str):
        raise wrong(f"expected a pattern of files, found {describe(value)}")
    sign = "!" if leaves_out and value.startswith("!") else ""
    if value[len(sign) :].startswith("!"):
        raise wrong(f'"{value}": a "!" has no meaning here', "name only the files that are meant")
    path = relative_path(value[len(sign) :])
    if path == ".git" or path.startswith(".git/"):
        raise wrong(f'"{value}" is git\'s own folder, which is no part of a commit')
    if re.search(r"\{[^{}]*,[^{}]*\}", path):
        raise wrong(f'"{value}": {{…,…}} has no meaning in a pattern', "write one pattern for each")
    if path.count("**") > MOST_DEPTHS:
        raise wrong(f'"{value}" has "**" more than twice', "name the folders, or write several patterns")
    return sign + path


def _input(value: object) -> str:
    if isinstance(value, str) and value.startswith("$"):
        if not re.fullmatch(_VARIABLE, value[1:]):
            raise wrong(f'"{value}" is no variable', "write $NAME: letters, digits and _")
        return value
    return _setup_input(value)


def _setup_input(value: object) -> str:
    if isinstance(value, str) and value.startswith("$"):
        raise wrong(f'"{value}" is a variable, and setup is told none', "name only files")
    pattern = _pattern(value, leaves_out=True)
    return pattern.removesuffix(".") + "**" if pattern in (".", "!.") else pattern


def _output(value: object) -> str:
    pattern = _pattern(value, leaves_out=True)
    if pattern in (".", "*", "**", "**/*"):
        raise wrong(f'"{value}" is the whole checkout', "name the files and folders that the step makes")
    return pattern


def _key_file(value: object) -> str:
    pattern = _pattern(value)
    if pattern == ".":
        raise wrong(f'"{value}" is a folder, not a file', 'write "**" for all files')
    return pattern


def _folder(value: object) -> str:
    path = _pattern(value)
    if re.search(r"[*?\[]", path):
        raise wrong(f'"{value}" has a wildcard', "name the folder itself")
    if path == ".":
        raise wrong(f'"{value}" is the whole checkout', "name a folder in it")
    return path


def is_image(text: str) -> bool:
    """Whether a text can be the name of an image."""
    return len(text) <= _LONGEST_IMAGE and bool(re.fullmatch(_IMAGE, text))


def _image(value: object) -> str:
    what = "the name of an image, like docker.io/library/python:3.12"
    if not isinstance(value, str):
        raise wrong(f"expected {what}, found {describe(value)}")
    if not is_image(value):
        raise wrong(f'"{value}" is not {what}', f'did you mean "{value.lower()}"?' if is_image(value.lower()) else None)
    return value


def _service(value: object) -> str:
    name = _SERVICE_NAME(value)
    if name.startswith("tidegate"):
        raise wrong(f'"{name}": names that begin with "tidegate" are Tidegate\'s own', "choose another name")
    return name


def _expression(value: object) -> str:
    if not isinstance(value, str):
        hint = f'write it in quotes: "{str(value).lower()}"' if isinstance(value, bool) else None
        raise wrong(f"expected an expression, found {describe(value)}", hint)
    return value


def text_of(value: object) -> str | None:
    """A value of a matrix as the text that the step gets; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def _matrix_item(value: object) -> str | dict[str, str]:
    if isinstance(value, dict):
        texts = {str(key): _matrix_text(one) for key, one in value.items()}
        if not texts:
            raise wrong("this leaves nothing out", "name a variable and its value")
        return texts
    return _matrix_text(value)


def _matrix_text(value: object) -> str:
    text = text_of(value)
    if text is None:
        hint = f'write it in quotes: "{str(value).lower()}"' if isinstance(value, bool) else None
        raise wrong(f"expected a text or a number, found {describe(value)}", hint)
    if not text.strip() or text != text.strip() or not text.isprintable() or len(text) > LONGEST_VALUE:
        raise wrong(f"a value is one line of 1 to {LONGEST_VALUE} characters without spaces around it")
    return text


_SERVICE_NAME = matching(
    _SIDECAR, 'the name of a service beside a step: lower-case letters, digits, "_" and "-", at most 32', str.lower
)


def _texts(validate: Callable[[object], str], *examples: str) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(validate), WithJsonSchema({"type": "string", "minLength": 1, "examples": list(examples)})


InputPattern = Annotated[str, *_texts(_input, "src/**", "!src/**/*.md", "$TIDEGATE_COMMIT")]
SetupInput = Annotated[str, *_texts(_setup_input, "requirements.txt")]
OutputPattern = Annotated[str, *_texts(_output, "dist/*.whl")]
KeyFile = Annotated[str, *_texts(_key_file, "requirements.txt")]
Folder = Annotated[str, *_texts(_folder, ".cache/pip")]
ImageWord = Annotated[str, PlainValidator(_image), schema_with(_IMAGE, "docker.io/library/python:3.12")]
SidecarWord = Annotated[str, PlainValidator(_service), schema_with(_SIDECAR, "database")]
LabelWord = Annotated[
    str, PlainValidator(matching(_WORD, 'a label: letters, digits and "._-", at most 63')), schema_with(_WORD, "gpu")
]
GroupWord = Annotated[
    str,
    PlainValidator(matching(_WORD, 'the name of a group: letters, digits and "._-", at most 63')),
    schema_with(_WORD, "licence"),
]
Expression = Annotated[
    str,
    PlainValidator(_expression),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_EXPRESSION, "examples": ['branch == "main"']}),
]
OutdatedWord = Annotated[Outdated, *one_of(Outdated)]
MatrixWord = StepVariable
MatrixItem = Annotated[str | dict[str, str], PlainValidator(_matrix_item)]
