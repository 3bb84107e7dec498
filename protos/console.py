"""How both commands speak to whoever typed them: verbs loaded when called, one message an error.

What an operator can put right is told in one message (tried, cause, what to do) on stderr, never
as a traceback, and ends with the exit code of its class. What remains is our own fault: exit code
70, the traceback goes to a file in the home, and the message says where.
"""

import copy
import difflib
import errno
import keyword
import os
import stat
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import click
from click.shell_completion import get_completion_class

from protos.shown import printable

WRONG_USE: Final = 2
OUR_FAULT: Final = 70  # EX_SOFTWARE of sysexits(3)
INTERRUPTED: Final = 130
CAUSE_CHARS_MAX: Final = 300


class Trouble(Protocol):
    """An error of either half that says what was tried, why it failed, and what to do."""

    exit_code: ClassVar[int]
    tried: str
    cause: str
    hint: str


@dataclass(slots=True)
class Place:
    """Where this call of the command works; filled in once --home is known."""

    home: Path

    def make(self) -> None:
        """Make the home, its owner's alone; one that is open to others is closed.

        OSError when that cannot be: it is another's, or a folder for all, such as /tmp.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.home.stat().st_mode
        if found & stat.S_ISVTX:
            raise PermissionError(errno.EPERM, "it is a folder for everyone")
        if found & 0o077:
            self.home.chmod(0o700)


class Verbs(click.Group):
    """The verbs by name and one line of help, each in a module that only its call imports."""

    def __init__(self, *args: Any, verbs: Mapping[str, str], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verbs = verbs
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order in which a newcomer needs them."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in self._verbs:
            return None
        module = cmd_name.replace("-", "_")
        module = f"{module}_" if keyword.iskeyword(module) else module
        command = import_module(f"{self._package}.{module}").command
        assert isinstance(command, click.Command)
        return _with_home(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was typed; an unknown one is told with the nearest."""
        name = args[0]
        if name not in self._verbs and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self._verbs, 1)
            verbs = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(self._verbs)}"
            ctx.fail(f"No such command {name!r}: {verbs}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._verbs.items()))


def _with_home(command: click.Command) -> click.Command:
    """The same command, which takes --home as well, where people look for it: behind the verb."""
    if any("--home" in param.opts for param in command.params):
        return command
    same = copy.copy(command)
    option = click.Option(
        ["--home"],
        type=click.Path(path_type=Path, file_okay=False),
        expose_value=False,
        hidden=True,
        callback=_move,
    )
    same.params = [*command.params, option]
    if isinstance(same, click.Group):
        same.commands = {name: _with_home(one) for name, one in same.commands.items()}
    return same


def _move(ctx: click.Context, _param: click.Parameter, home: Path | None) -> None:
    if home is not None:
        ctx.ensure_object(Place).home = home.absolute()


@dataclass(frozen=True, slots=True)
class Extra:
    """What `pip install 'tidegate[NAME]'` adds: the modules that only this half imports."""

    name: str
    modules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Console:
    """One half's command: its click group, its name, the base of its errors, what it needs."""

    program: str
    group: click.Group
    trouble: type[Exception]
    home: Path
    extra: Extra

    def main(self) -> None:
        """Run the command line of this process and exit."""
        # gRPC's core writes its own view of failed handshakes to stderr; ours says what to do.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        os.umask(0o077)  # whatever is written holds readings or keys: it is its owner's alone
        sys.exit(self.call(sys.argv[1:]))

    def call(self, arguments: Sequence[str]) -> int:
        """Run one command to its end; its exit code."""
        place = Place(self.home)
        try:
            code = self.group.main(
                list(arguments), prog_name=self.program, standalone_mode=False, obj=place
            )
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has gone (`| head`): that is no fault.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except Exception as error:  # noqa: BLE001 - the supervisor of the command line
            return self._told(error, place)
        return code if isinstance(code, int) else 0

    def _told(self, error: Exception, place: Place) -> int:
        leaves = list(_leaves(error))
        if all(isinstance(leaf, self.trouble) for leaf in leaves):
            return self._tell(leaves[0])  # type: ignore[arg-type]  # every `trouble` is one
        absent = self._absent(leaves[0])
        if absent:
            click.echo(
                f"{self.program}: this half is not installed: there is no {absent} here\n"
                f"  to do: pip install 'tidegate[{self.extra.name}]'",
                err=True,
            )
            return WRONG_USE
        at = self._keep_trace(error, place)
        what = f"{type(leaves[0]).__name__}: {leaves[0]}"
        click.echo(
            f"{self.program}: this is our fault, not yours: {what[:CAUSE_CHARS_MAX]}\n"
            f"  what happened is written in {at}; please report it with that file",
            err=True,
        )
        return OUR_FAULT

    def _absent(self, error: BaseException) -> str:
        """Name the module of our extra that is not installed; empty when that is not the fault."""
        if not isinstance(error, ModuleNotFoundError):
            return ""
        module = (error.name or "").partition(".")[0]
        return module if module in self.extra.modules else ""

    def _tell(self, error: Trouble) -> int:
        cause = "\n         ".join(printable(line) for line in error.cause.split("\n"))
        first = click.style(f"{self.program}: could not {printable(error.tried)}", fg="red")
        lines = [first, f"  cause: {cause}"]
        if error.hint:
            hint = "\n".join(printable(line) for line in error.hint.split("\n"))
            lines.append(f"  to do: {hint}")
        click.echo("\n".join(lines), err=True)
        return error.exit_code

    def _keep_trace(self, error: Exception, place: Place) -> str:
        text = "".join(traceback.format_exception(error))
        for folder in (place.home, Path(tempfile.gettempdir())):
            path = folder / f"{self.program}-last-error.txt"
            try:
                path.write_text(text)
            except OSError:
                continue
            return str(path)
        click.echo(text, err=True)
        return "the lines above"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside groups of them, which task groups raise."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL, to be sourced by it."""
    root = ctx.find_root()
    program = root.info_name or ""
    made = get_completion_class(shell)
    assert made is not None
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    click.echo(made(root.command, {}, program, variable).source())
