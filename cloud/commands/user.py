"""`tidegate-cloud user`: who may sign in to page and API."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from cloud.access.password import CHARS_MAX, hashed, password_problem
from cloud.access.people import USERS_MAX, User, name_problem
from cloud.access.role import ROLES
from cloud.config import load
from cloud.errors import OperatorError
from cloud.registry.registry import Registry
from protos.console import Place
from protos.shown import shown_time

ACTOR = "command line"
Command = Callable[..., Any]
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
_FILE = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File whose first line is the password; `-` is stdin. [default: asked for, not shown]",
)
_ROLE = click.Choice([*ROLES])


@click.group()
def command() -> None:
    """Add, list, change or remove users of page and API; a running cloud knows within a second.

    While there is no user, everybody on this machine may do everything; with the first one
    everybody has to sign in.
    """


@command.command()
@click.argument("name")
@click.option("--role", type=_ROLE, required=True, help="What NAME may do.")
@_FILE
@_JSON
@click.pass_obj
def add(place: Place, name: str, role: str, password_file: Path | None, as_json: bool) -> None:
    """Add the user NAME; the password is asked for twice, or read from a file."""
    tried = f"add the user {name!r}"
    if problem := name_problem(name):
        raise OperatorError(tried, problem, "choose another name")
    with registry_of(place) as registry:
        _check_new(registry, name, tried)
        password = _password(tried, name, password_file)
        now_us = _now_us()
        user = User(name, ROLES[role], hashed(password), now_us, now_us)
        with registry.transaction():
            _check_new(registry, name, tried)
            is_first = not registry.users()
            registry.add_user(user, ACTOR)
    _tell(user, as_json, f"{name} may sign in as {role}")
    if is_first:
        click.echo("from now on everybody has to sign in, on this machine too", err=True)


@command.command("list")
@_JSON
@click.pass_obj
def list_users(place: Place, as_json: bool) -> None:
    """List the users, by name."""
    with registry_of(place) as registry:
        users = registry.users()
    if as_json:
        click.echo(json.dumps([_as_json(user) for user in users]))
        return
    for user in users:
        last = f"signed in {shown_time(user.signed_in_us)}" if user.signed_in_us else "never came"
        click.echo(f"{user.name:24}  {user.role.word:8}  {last}")
    if not users:
        click.echo("there is no user: on this machine everybody may do everything", err=True)


@command.command()
@click.argument("name")
@_FILE
@_JSON
@click.pass_obj
def password(place: Place, name: str, password_file: Path | None, as_json: bool) -> None:
    """Give NAME another password; every session of NAME ends."""
    tried = f"change the password of {name!r}"
    with registry_of(place) as registry:
        _found(registry, name, tried)
        kept = hashed(_password(tried, name, password_file))
        user = _change(registry, name, tried, "password", password=kept)
    _tell(user, as_json, f"{name} has another password; sessions of {name} have ended")


@command.command()
@click.argument("name")
@click.argument("role", type=_ROLE)
@_JSON
@click.pass_obj
def role(place: Place, name: str, role: str, as_json: bool) -> None:
    """Give NAME another ROLE; every session of NAME ends."""
    with registry_of(place) as registry:
        user = _change(registry, name, f"change the role of {name!r}", role, role=ROLES[role])
    _tell(user, as_json, f"{name} is {role} now; sessions of {name} have ended")


@command.command()
@click.argument("name")
@_JSON
@click.pass_obj
def remove(place: Place, name: str, as_json: bool) -> None:
    """Remove the user NAME; every session of NAME ends."""
    with registry_of(place) as registry, registry.transaction():
        user = _found(registry, name, f"remove the user {name!r}")
        registry.remove_user(name, ACTOR, _now_us())
        is_last = not registry.users()
    _tell(user, as_json, f"{name} is removed")
    if is_last:
        told = (
            "there is no user any more: a cloud that only this machine can ask is open to all of"
            " it, any other lets nobody sign in"
        )
        click.echo(told, err=True)


@contextmanager
def registry_of(place: Place) -> Iterator[Registry]:
    """The registry of this home; OperatorError where there is no cloud."""
    with closing(Registry.open(load(place.home).registry_path)) as registry:
        yield registry


def _check_new(registry: Registry, name: str, tried: str) -> None:
    users = registry.users()
    if any(user.name == name for user in users):
        hint = "`tidegate-cloud user password` or `user role` changes one"
        raise OperatorError(tried, "there is one of that name", hint)
    if len(users) >= USERS_MAX:
        raise OperatorError(tried, f"there are {USERS_MAX} already", "remove one first")


def _found(registry: Registry, name: str, tried: str) -> User:
    import difflib

    users = {user.name: user for user in registry.users()}
    if name in users:
        return users[name]
    near = difflib.get_close_matches(name, users, 1)
    hint = f"did you mean {near[0]}?" if near else "`tidegate-cloud user list` names them all"
    raise OperatorError(tried, "there is no such user", hint)


def _change(registry: Registry, name: str, tried: str, outcome: str, **changed: Any) -> User:
    with registry.transaction():
        user = _found(registry, name, tried)
        user = dataclasses.replace(user, changed_us=_now_us(), **changed)
        registry.change_user(user, ACTOR, outcome)
    return user


def _password(tried: str, name: str, path: Path | None) -> str:
    """A new password: from a file, or typed twice where there is somebody to type it."""
    given: str
    if path is not None:
        given = _first_line(tried, path)
    elif sys.stdin.isatty():
        given = click.prompt("password", hide_input=True, confirmation_prompt="once more", err=True)
    else:
        hint = "name a file with --password-file, or run it in a terminal"
        raise OperatorError(tried, "nobody is there to type a password", hint)
    if problem := password_problem(given, name):
        raise OperatorError(tried, f"the password cannot be: {problem}", "choose another")
    return given


def _first_line(tried: str, path: Path) -> str:
    try:
        with click.open_file(str(path), encoding="utf-8") as file:
            line: str = file.readline(4 * CHARS_MAX)
            return line.rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OperatorError(tried, f"{path}: {cause}", "check --password-file") from error


def _tell(user: User, as_json: bool, told: str) -> None:
    click.echo(json.dumps(_as_json(user)) if as_json else told)


def _as_json(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role.word,
        "created": user.created_us,
        "changed": user.changed_us,
        "signed_in": user.signed_in_us or None,
    }


def _now_us() -> int:
    return time.time_ns() // 1000
