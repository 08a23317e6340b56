"""Running the `git` command without a terminal, a shell, or a secret in a process list, and saying what went wrong."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

QUICK_SECONDS = 30.0
"""For what only reads a local repository or asks a remote one for its branches."""

TRANSFER_SECONDS = 900.0
"""For what moves commits."""

_CONFIG = Path(__file__).with_name("gitconfig")
_PROTOCOLS = "file:git:http:https:ssh"
_KEPT = ("GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_PROXY_COMMAND")
_SSH = "ssh -oBatchMode=yes -oConnectTimeout=10"
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$TIDEGATE_GIT_USERNAME" "$TIDEGATE_GIT_TOKEN"; }; f'
)


class RepositoryError(Exception):
    """A repository cannot be read; the message says which, why, and what to do next. It holds no secret."""


class RepositoryClosed(RepositoryError):
    """A repository does not let us in, or does not let us see it; another credential may."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who Tidegate is for a private repository."""

    username: str
    token: str = field(repr=False)


def run_git(
    arguments: Sequence[str],
    *,
    folder: Path | None = None,
    url: str | None = None,
    credential: Credential | None = None,
    seconds: float = QUICK_SECONDS,
    may_answer_no: bool = False,
) -> bytes | None:
    """Run git and give its standard output.

    `folder` is the bare repository that it works on. `url` is the repository that it talks to, which the credential
    is for; it is shown in errors. With `may_answer_no` an exit status of 1 gives None. Raises RepositoryError.
    """
    options = [] if folder is None else [f"--git-dir={folder}"]
    env = _environment()
    if credential is not None and url is not None:
        # the helper answers for this host alone, so that no redirection carries the token elsewhere
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        options += ["-c", "credential.helper=", "-c", f"credential.{parts.scheme}://{host}.helper={_HELPER}"]
        env |= {"TIDEGATE_GIT_USERNAME": credential.username, "TIDEGATE_GIT_TOKEN": credential.token}
    status, output, errors = _run(["git", *options, *arguments], env, seconds, shown(url or str(folder)))
    if status == 0:
        return output
    if status == 1 and may_answer_no:
        return None
    raise _failure(errors, url or str(folder), credential)


def checked_url(url: str, credential: Credential | None = None) -> str:
    """The same URL. Raises RepositoryError where it could be taken for an option, or would show or leak a secret."""
    if not url or url.startswith("-") or any(ord(character) < 32 for character in url):
        raise RepositoryError(f"{url!r} is not the address of a repository; give a path or a URL")
    parts = _split(url)
    if parts.password:
        raise RepositoryError(
            f"the address {shown(url)} holds a password, which would show in process lists and logs; "
            "leave it out and give the credential with: tidegate secret set"
        )
    if "://" in url and parts.scheme not in _PROTOCOLS.split(":"):
        raise RepositoryError(
            f"repositories are not read by {parts.scheme}:// ({shown(url)}); use https, ssh, http, git or a path"
        )
    if re.match(r"[A-Za-z0-9]+::", url):
        raise RepositoryError(f"{shown(url)} names a remote helper, which could run any command; use https or ssh")
    if credential is not None and parts.scheme != "https" and not _is_loopback(url):
        raise RepositoryError(
            f"a credential is only sent by https, and {shown(url)} is not; use the https address of the repository"
        )
    return url


def local_path(url: str) -> Path | None:
    """The path where `url` is a repository on this machine, else None."""
    if url.startswith("file://"):
        return Path(urlsplit(url).path)
    if "://" in url or re.match(r"[^/]+:", url):
        return None
    return Path(url)


def shown(url: str) -> str:
    """The URL as it may be shown: without what stands before the host's name."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _split(url: str) -> _Parts:
    try:
        parts = urlsplit(url)
        return _Parts(parts.scheme, parts.hostname or "", bool(parts.password))
    except ValueError:
        raise RepositoryError(f"{shown(url)} is not the address of a repository; give a path or a URL") from None


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    host: str
    password: bool


def _is_loopback(url: str) -> bool:
    parts = _split(url)
    return parts.scheme == "http" and parts.host in ("localhost", "127.0.0.1", "::1")


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    return {
        "GIT_SSH_COMMAND": _SSH,
        **own,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(_CONFIG),
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _run(argv: list[str], env: Mapping[str, str], seconds: float, where: str) -> tuple[int, bytes, str]:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise RepositoryError("the git command is not on this machine; install git") from None
    with process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException as error:
            # git's helpers (ssh, the transport) are in its group and must not outlive it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise RepositoryError(
                    f"git did not come to an end with {where} within {seconds:g} s; is its host slow or away?"
                ) from None
            raise
    return process.returncode, output, errors.decode(errors="replace")


_REFUSED = "{url} refused {who}; give one that may read it with: tidegate secret set"
_HIDDEN = "the repository {url} does not exist, or is private and needs a credential (tidegate secret set)"

_MEANINGS = (
    (
        r"could not resolve host|failed to connect|connection refused|timed out|network is unreachable|no route to"
        r"|couldn't connect|could not connect|unable to connect|connection reset",
        "the host of {url} cannot be reached; check the address and the network",
    ),
    (
        r"host key verification failed",
        "the host key of {url} is not known here; connect once by hand (ssh) as the server's user to accept it",
    ),
    (
        r"authentication failed|could not read username|could not read password|permission denied \("
        r"|error: 40[13]|access denied|invalid credentials",
        _REFUSED,
    ),
    (
        r"repository .* not found|error: 404|does not exist|repository not found",
        _HIDDEN,
    ),
    (
        r"does not appear to be a git repository|not a git repository|not valid: is this a git repository",
        "{url} is not a git repository; give the folder that holds .git, or run git init there and commit",
    ),
    (r"couldn't find remote ref", "{url} has no such branch"),
    (r"no space left on device", "the disk is full: the copy of {url} could not be written"),
)


def _failure(errors: str, url: str, credential: Credential | None) -> RepositoryError:
    who = "the credential" if credential is not None else "to be read without a credential"
    for pattern, words in _MEANINGS:
        if re.search(pattern, errors, re.IGNORECASE):
            kind = RepositoryClosed if words in (_REFUSED, _HIDDEN) else RepositoryError
            return kind(words.format(url=shown(url), who=who))
    lines = [line for line in errors.splitlines() if line.startswith(("fatal:", "error:"))] or [errors.strip()]
    said = shown(lines[-1] if lines else "")
    if credential is not None:
        said = said.replace(credential.token, "…")
    return RepositoryError(f"git could not read {shown(url)}: {said}")
