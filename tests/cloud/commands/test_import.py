"""`tidegate-cloud import` as an operator types it: stopped and running clouds, dry runs, ends."""

import json
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from cloud.commands import import_
from cloud.config import load
from cloud.errors import OperatorError
from cloud.imports import csv_file, influx_file, parquet_file
from cloud.imports.columns import COLUMNS_MAX
from cloud.imports.ledger import Ledger
from cloud.imports.line_sync import enrol
from cloud.imports.piece import SERIES_MAX
from cloud.registry.registry import Admission, CertificateRow, Registry, TokenRow
from protos.limits import NAME_BYTES_MAX, TEXT_BYTES_MAX, UNIT_BYTES_MAX
from tests.cloud.imports.import_home import call, new_home, serving, stored, table
from tests.cloud.imports.import_world import write

Capture = pytest.CaptureFixture[str]
PROGRAM = [sys.executable, "-c", "from cloud.cli import main; main()"]
T = 1_700_000_000


@pytest.fixture
def home(tmp_path: Path, capsys: Capture) -> Path:
    made = new_home(tmp_path / "cloud")
    capsys.readouterr()
    return made


def test_a_stopped_cloud_takes_files_once_and_says_what_came(home: Path, capsys: Capture) -> None:
    one = table(home.parent / "one.csv", range(100))
    assert call(home, "import", str(one), "--device", "p") == 0
    told = capsys.readouterr().out
    assert "100 readings of 1 series came in, 2023-11-14T22:13:20.000+00:00 to" in told
    assert call(home, "import", str(one), "--device", "p") == 0
    assert "was brought in" in capsys.readouterr().out
    two = table(home.parent / "two.csv", range(50, 150))
    assert call(home, "import", str(two), "--device", "p", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["readings"], one["duplicates"]) for one in told["files"]] == [(50, 50)]
    assert stored(home) == 150


def test_an_option_of_a_metric_that_a_table_has_not_is_refused_before_anything_comes(
    home: Path, capsys: Capture
) -> None:
    one = write(home.parent / "one.csv", f"time,flow [l/s]\n{T},1\n")
    for option in (["--counter", "flwo"], ["--unit", "flwo=l/h"], ["--counter", "flow [l/s]"]):
        assert call(home, "import", str(one), *option) == 2
        assert f"could not take {option[0]}" in (told := capsys.readouterr().err)
        assert "did you mean 'flow'?" in told
    assert call(home, "import", str(one), "--counter", "flow", "--unit", "flow [l/s]=l/h") == 0
    assert capsys.readouterr().err == ""
    assert stored(home) == 1


def test_an_option_of_a_metric_that_never_came_is_told(home: Path, capsys: Capture) -> None:
    one = write(home.parent / "one.lp", f"pump flow=1 {T}\n")
    assert call(home, "import", str(one), "--counter", "pump.flwo", "--dry-run") == 0
    told = capsys.readouterr()
    assert "device from" in told.out
    assert "times by their size" in told.out
    assert "--counter 'pump.flwo' fits no metric: did you mean 'pump.flow'?" in told.err
    assert call(home, "import", str(one), "--unit", "zzz=l", "--json") == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["unmet"] == ["--unit 'zzz' fits no metric"]


def test_a_running_cloud_takes_files_and_shows_them(home: Path, capsys: Capture) -> None:
    one = table(home.parent / "one.csv", range(300))
    with serving(home) as api:
        assert call(home, "import", str(one)) == 0
        assert "300 readings of 1 series came in" in capsys.readouterr().out
        two = table(home.parent / "two.csv", range(200, 400))
        assert call(home, "import", str(two), "--device", "one") == 0
        assert "200 rows: 100 were there already" in capsys.readouterr().out
        rows: list = []
        for _ in range(200):  # visible within seconds of the acknowledgement
            with suppress(OperatorError):  # not even the series is, yet
                (series,) = api.find("one/pump", device=None, gateway="import")
                rows = list(api.history(str(series["id"]), {"resolution": "raw"}))
            if len(rows) >= 400:
                break
            time.sleep(0.1)
        assert [row["value"] for row in rows] == [at + 0.5 for at in range(400)]
    with closing(Registry.open(load(home).registry_path)) as registry:
        assert [row.certificate_not_after_us for row in registry.gateways()] == [0], "revoked"
    assert stored(home) == 400


def test_stopped_and_running_are_one_past(home: Path) -> None:
    one, two = table(home.parent / "1.csv", range(50)), table(home.parent / "2.csv", range(90))
    assert call(home, "import", str(one), "--device", "p") == 0
    with serving(home):
        assert call(home, "import", str(two), "--device", "p") == 0
    assert call(home, "import", str(one), str(two), "--device", "p") == 0
    assert stored(home) == 90


def test_a_dry_run_shows_a_sample_and_keeps_nothing(home: Path, capsys: Capture) -> None:
    one = write(home.parent / "one.csv", f"time,a\n{T},1.5\nnever,2\n")
    before = sorted(home.rglob("*"))
    assert call(home, "import", "--dry-run", str(one)) == 0
    told = capsys.readouterr()
    assert "1 readings of 1 series would come" in told.out
    assert "2023-11-14T22:13:20.000+00:00  one/a  1.5" in told.out
    assert "rejected: 1 × not a time" in told.err
    assert f"{one} row 2, column 'time': \"never\"" in told.err
    assert sorted(home.rglob("*")) == before
    assert call(home, "import", str(one)) == 0
    assert call(home, "import", "--dry-run", "--json", str(one)) == 0
    two = write(home.parent / "two.csv", f"time,a,b\n{T},1.5,1\n")
    capsys.readouterr()
    assert call(home, "import", "--dry-run", "--json", str(two), "--device", "one") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["readings"], one["duplicates"]) for one in told["files"]] == [(1, 1)]
    with closing(Ledger.open(home / "imports", "import")) as ledger:
        assert len(ledger.series) == 1


def test_rejects_are_counted_and_written_where_told(home: Path, capsys: Capture) -> None:
    one = write(home.parent / "one.csv", f"time,a\n{T},1.5\n=cmd(),2\n")
    out = home.parent / "rejects.csv"
    assert call(home, "import", str(one), "--rejects", str(out)) == 0
    assert out.read_text().splitlines() == [
        "file,row,column,reason,text",
        f"{one},2,time,not a time,'=cmd()",
    ]
    capsys.readouterr()
    assert call(home, "import", str(one), "--rejects", str(out)) == 2
    assert "could not write rejects" in capsys.readouterr().err


def test_a_file_of_which_nothing_comes_ends_with_2(home: Path, capsys: Capture) -> None:
    bad = write(home.parent / "bad.csv", "time,a\nnever,1\n")
    assert call(home, "import", str(bad), "--json") == 2
    told = json.loads(capsys.readouterr().out)
    assert told["rejects"][0]["reason"] == "not a time"
    assert told["rejects"][0]["examples"][0]["row"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.csv"], "No such file"),
        (["one.csv", "--zone", "Europe/Berlni"], "did you mean Europe/Berlin?"),
        (["one.csv", "--gateway", "a/b"], "choose another --gateway"),
        (["one.csv", "--unit", "°C"], "as in temperature=°C"),
        (["one.csv", "--delimiter", "ab"], "one character"),
        (["one.csv", "--time", "tiem"], "did you mean 'time'?"),
        (["one.csv", "--format", "parquet"], "is it whole, and Parquet?"),
        (["one.csv", "--format", "recorder"], "file is not a database"),
        (["local.csv"], "name its zone"),
    ],
)
def test_what_cannot_be_is_told_with_the_way_out(
    home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: list, told: str
) -> None:
    monkeypatch.chdir(home.parent)
    table(Path("one.csv"), range(3))
    write(Path("local.csv"), "time,a\n2023-11-14 22:13:20,1\n")
    assert call(home, "import", *arguments) == 2
    assert told in capsys.readouterr().err


def test_the_guide_names_every_option_and_limit() -> None:
    page = (Path(__file__).parents[3] / "docs" / "guide" / "import.md").read_text()
    options = [opt for one in import_.command.params for opt in one.opts if opt.startswith("--")]
    assert [option for option in options if option not in page] == []
    limits = (COLUMNS_MAX, SERIES_MAX, NAME_BYTES_MAX, UNIT_BYTES_MAX, TEXT_BYTES_MAX)
    assert [limit for limit in limits if f"{limit:,}" not in page] == []
    assert "a line of CSV | 1 MiB" in page
    assert "a line of line protocol | 64 KiB" in page
    assert "a row group of Parquet | 2 GiB" in page
    found = (csv_file.LINE_BYTES_MAX, influx_file.LINE_BYTES_MAX, parquet_file.GROUP_BYTES_MAX)
    assert found == (1 << 20, 64 << 10, 2 << 30)


def test_a_bar_is_shown_where_a_person_looks(home: Path, capsys: Capture, monkeypatch) -> None:
    one = table(home.parent / "one.csv", range(3))
    assert call(home, "import", "--dry-run", str(one)) == 0
    assert "%" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert call(home, "import", "--dry-run", str(one)) == 0
    assert "one.csv" in (err := capsys.readouterr().err)
    assert "100%" in err


def test_the_name_of_an_enrolled_gateway_is_refused(home: Path, capsys: Capture) -> None:
    one = table(home.parent / "one.csv", range(3))
    with closing(Registry.open(load(home).registry_path)) as registry:
        token = TokenRow("00", "pump", b"", 1, 2)
        registry.add_token(token)
        registry.grant(token, CertificateRow("5e", "pump", "k", b"", 1, 4_102_444_800_000_000))
        assert registry.standing(["5e"], 2)["5e"] is Admission.ADMITTED
    for _ in range(2):
        assert call(home, "import", str(one), "--gateway", "pump") == 2
        assert "choose another --gateway" in capsys.readouterr().err
    with serving(home):
        for _ in range(2):
            assert call(home, "import", str(one), "--gateway", "pump") == 2
    with closing(Registry.open(load(home).registry_path)) as registry:
        assert registry.standing(["5e"], 2)["5e"] is Admission.ADMITTED
    assert not (home / "journal" / "quarantine.db").exists() or stored(home) == 0


def test_a_gateway_that_was_enrolled_under_the_name_since_keeps_its_certificate(
    home: Path, capsys: Capture
) -> None:
    one, two = table(home.parent / "1.csv", range(3)), table(home.parent / "2.csv", range(5))
    with serving(home):
        assert call(home, "import", str(one), "--gateway", "pump") == 0
        with closing(Registry.open(load(home).registry_path)) as registry:
            token = TokenRow("00", "pump", b"", 1, 2)
            registry.add_token(token)
            registry.grant(token, CertificateRow("5e", "pump", "k", b"", 1, 4_102_444_800_000_000))
        for _ in range(2):
            assert call(home, "import", str(two), "--gateway", "pump") == 2
            assert "was enrolled under that name since" in capsys.readouterr().err
    with closing(Registry.open(load(home).registry_path)) as registry:
        assert registry.standing(["5e"], 2)["5e"] is Admission.ADMITTED


def test_a_certificate_that_a_killed_import_left_is_in_nobodys_way(home: Path) -> None:
    one = table(home.parent / "1.csv", range(3))
    config = load(home)
    with closing(Ledger.open(home / "imports", "import")) as ledger:
        ledger.begin()
        enrol(config, ledger, 1)
    with serving(home):
        assert call(home, "import", str(one)) == 0
    assert stored(home) == 3


def test_a_ledger_that_is_gone_is_missed(home: Path, capsys: Capture) -> None:
    one = table(home.parent / "one.csv", range(3))
    assert call(home, "import", str(one)) == 0
    for path in (home / "imports").iterdir():
        path.unlink()
    assert call(home, "import", str(one)) == 2
    assert "restore that file from the newest backup" in capsys.readouterr().err
    assert stored(home) == 3


def test_a_restored_cloud_takes_what_its_backup_lacked_and_nothing_twice(
    home: Path, capsys: Capture
) -> None:
    one, two = table(home.parent / "1.csv", range(50)), table(home.parent / "2.csv", range(90))
    assert call(home, "import", str(one), "--device", "p") == 0
    assert call(home, "backup", str(home.parent / "backup")) == 0
    assert call(home, "import", str(two), "--device", "p") == 0
    other = home.parent / "other"
    time.sleep(1.1)  # a generation is a second of the clock
    assert call(other, "restore", str(home.parent / "backup")) == 0
    assert call(other, "import", str(one), str(two), "--device", "p") == 0
    assert stored(other) == 90
