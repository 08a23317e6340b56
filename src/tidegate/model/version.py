"""A release's version: the nearest version tag on the way to its commit, and how many changes came after it.

Versions are ordered, and fit a requirement, as PEP 440 says (https://peps.python.org/pep-0440/): what comes three
changes after the tag v1.4.2 is 1.4.2.post3, which is newer than 1.4.2 and older than 1.4.3.
"""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_DESCRIBED = re.compile(r"v?(?P<tag>.+)-(?P<changes>\d+)-g[0-9a-f]+")


def version_of(described: str) -> str | None:
    """The version that `git describe --long` gives, None where there is no tag, or it is no version."""
    found = _DESCRIBED.fullmatch(described.strip())
    if found is None:
        return None
    try:
        tag = Version(found["tag"])
    except InvalidVersion:
        return None
    return str(_after(tag, int(found["changes"])))


def _after(tag: Version, changes: int) -> Version:
    """The version so many changes after the tag; what the tag says of its build (`+…`) is another one's."""
    public = Version(tag.public)
    if not changes:
        return public
    if public.dev is not None:
        return Version(re.sub(r"\.dev\d+$", f".dev{public.dev + changes}", str(public)))
    begin = re.sub(r"\.post\d+$", "", str(public))
    return Version(f"{begin}.post{(public.post or 0) + changes}")


def check_specifier(text: str) -> str:
    """The specifier as it is compared. Raises ValueError where it is none."""
    try:
        specifier = SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f'"{text}" says no versions; write them like ">=1.4" or ">=1.4, <2"') from None
    if not len(specifier):
        raise ValueError('any version at all is no requirement; write one like ">=1.4"')
    return str(text).strip()


def fits(version: str, specifier: str) -> bool:
    """Whether a version is among those of the specifier; one before a release (1.5rc1) is told by its order alone."""
    return SpecifierSet(specifier).contains(version, prereleases=True)
