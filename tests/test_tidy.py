"""The style of the house, tested: sizes, purity, names, and what may never be committed."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES_MAX = 300
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_MEDIAN_MAX = 12

# What a pure module may not touch: time, chance, disk, network, threads and the shells around it.
IMPURE = {
    "aiomqtt", "apsw", "asyncio", "concurrent", "datetime.now", "deltalake", "duckdb", "grpc",
    "http", "io", "logging", "multiprocessing", "onnxruntime", "os", "paho", "pathlib", "queue",
    "random", "secrets", "shutil", "signal", "socket", "sqlite3", "sqlite_utils", "ssl",
    "starlette", "subprocess", "tempfile", "threading", "time", "urllib", "uuid", "uvicorn",
}  # fmt: skip

# The rules of the house: protocol and arithmetic, which a simulation must be able to drive.
PURE_MODULES = {
    "protos/block.py", "protos/limits.py", "protos/records.py", "protos/series.py",
    "protos/settings.py", "protos/token.py", "protos/codec/body.py", "protos/codec/columns.py",
    "protos/codec/content.py", "protos/codec/decimals.py", "protos/codec/frame.py",
    "protos/codec/header.py", "protos/codec/strings.py", "protos/codec/wire.py",
    "edge/reading.py", "edge/catalog.py", "edge/redelivery.py", "edge/detect/rolling.py",
    "edge/open_marks.py", "edge/machine.py",
    "edge/detect/by_series.py", "edge/detect/threshold.py", "edge/detect/judged.py",
    "edge/detect/frames.py", "edge/detect/frame_steps.py", "edge/detect/meant.py",
    "edge/detect/found.py", "edge/detect/standing.py", "edge/detect/runs.py",
    "edge/detect/episode.py", "edge/detect/episodes.py",
    "edge/detect/cadence.py", "edge/detect/histogram.py", "edge/detect/pace.py",
    "edge/detect/routing.py", "edge/detect/slots.py", "edge/detect/tail.py",
    "edge/detect/rules.py", "edge/detect/rules_meter.py", "edge/detect/rules_order.py",
    "edge/detect/rules_rate.py", "edge/detect/rules_select.py", "edge/detect/rules_silence.py",
    "edge/detect/rules_state.py", "edge/detect/command_slots.py",
    "edge/seal.py", "edge/sync.py", "edge/timeline.py",
    "protos/stretch.py", "edge/renewal.py",
    "protos/model.py", "protos/model_manifest.py", "protos/model_text.py", "protos/stored_zip.py",
    "protos/onnx_wire.py", "protos/graph_rules.py",
    "cloud/journal/cursor.py", "cloud/lake/plan.py", "cloud/rollup/partials.py",
    "cloud/lake/correction.py",
    "cloud/series/joined.py", "cloud/series/operation.py", "cloud/query/joined.py",
    "cloud/query/one.py",
    "cloud/series/units.py",
    "cloud/access/role.py", "cloud/access/people.py", "cloud/access/attempts.py",
}  # fmt: skip

NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
ROOT_FOLDERS = {"edge", "cloud", "protos", "deploy", "tests", "docs", "benchmarks", "requirements"}


def tracked() -> list[str]:
    """Every file git knows or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(path for path in set(listing.stdout.splitlines()) if (ROOT / path).is_file())


def sources(*roots: str) -> list[str]:
    return [
        path
        for path in tracked()
        if path.endswith(".py") and path.startswith(roots) and "_pb2" not in path
    ]


PRODUCT = sources("edge/", "cloud/", "protos/")
# So are all conventions of sensors, those that somebody will add too.
PURE_MODULES |= {"edge/recognition.py", "edge/proposal.py"}
PURE_MODULES |= set(sources("edge/payload/")) - {
    "edge/payload/__init__.py", "edge/payload/registry.py",
}  # fmt: skip
PURE_MODULES |= set(sources("cloud/promql/")) - {"cloud/promql/__init__.py"}
OURS = sources("edge/", "cloud/", "protos/", "deploy/", "benchmarks/", "tests/", ".ci/")


def parse(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), path)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code, without the docstring: a long promise is no long function."""
    first = node.body[0]
    start = node.lineno
    end = node.end_lineno or start
    doc = 0
    if ast.get_docstring(node) is not None:
        doc = (first.end_lineno or first.lineno) - first.lineno + 1
    return end - start + 1 - doc


def imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", OURS + [p for p in tracked() if p.endswith((".ts", ".tsx"))])
def test_a_file_holds_one_noun_in_at_most_300_lines(path: str) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", OURS)
def test_a_function_is_at_most_60_lines(path: str) -> None:
    long = {f.name: function_lines(f) for f in functions(parse(path))}
    assert {name: n for name, n in long.items() if n > FUNCTION_LINES_MAX} == {}


def test_the_median_function_is_short() -> None:
    lengths = [function_lines(f) for path in PRODUCT for f in functions(parse(path))]
    assert statistics.median(lengths) <= FUNCTION_LINES_MEDIAN_MAX


@pytest.mark.parametrize("path", sorted(PURE_MODULES))
def test_a_rule_of_the_house_is_marked_pure(path: str) -> None:
    doc = ast.get_docstring(parse(path)) or ""
    assert doc.startswith("Pure: ")


@pytest.mark.parametrize("path", PRODUCT)
def test_a_module_that_says_pure_is_pure(path: str) -> None:
    tree = parse(path)
    if not (ast.get_docstring(tree) or "").startswith("Pure: "):
        return
    roots = {name.split(".")[0] for name in imported(tree)}
    assert roots & IMPURE == set()
    text = (ROOT / path).read_text()
    assert not re.search(r"datetime\.(now|utcnow|today)\(|np\.random|numpy\.random|\bopen\(", text)


@pytest.mark.parametrize("path", OURS)
def test_no_module_is_named_after_nothing(path: str) -> None:
    assert Path(path).stem not in NAMELESS


@pytest.mark.parametrize("path", OURS)
def test_no_exception_is_swallowed(path: str) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except at line {node.lineno}"


@pytest.mark.parametrize("path", PRODUCT)
def test_a_module_opens_with_what_it_promises(path: str) -> None:
    assert ast.get_docstring(parse(path)), f"{path} has no docstring"


def test_the_top_level_is_the_one_that_was_asked_for() -> None:
    folders = {path.split("/")[0] for path in tracked() if "/" in path}
    assert folders <= ROOT_FOLDERS | {".ci"}


def test_no_package_under_tests_shadows_the_real_one() -> None:
    assert [p for p in tracked() if p.startswith("tests/") and p.endswith("__init__.py")] == []


def test_no_tracked_lock_file_carries_a_download_address() -> None:
    locks = [p for p in tracked() if p.startswith("requirements/") or p.endswith("-lock.json")]
    assert locks
    for path in locks:
        text = (ROOT / path).read_text()
        assert "resolved" not in text or not path.endswith(".json"), path
        assert not re.search(r'--(extra-)?index-url|"resolved"', text), path
        if path.endswith(".txt"):
            assert "://" not in text, path


def test_no_large_or_binary_mystery_is_committed() -> None:
    big = [p for p in tracked() if (ROOT / p).stat().st_size > 1024 * 1024]
    assert big == []
    assert [p for p in tracked() if p.endswith((".onnx", ".so", ".whl"))] == []
