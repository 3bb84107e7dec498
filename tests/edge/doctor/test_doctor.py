"""`tidegate-edge doctor`: what it promises of itself, with an agent and without."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.broker import free_port
from edge.cli import console
from edge.config import load
from edge.doctor.case import Case, of_home
from edge.doctor.examine import examine
from edge.doctor.kind import OURS, Finding, Severity, exit_code, fault, hint, ok
from edge.doctor.theme import Theme
from edge.doctor.themes import THEMES
from edge.doctor.words import WIDTH, Report, counted, told
from tests.edge.doctor import plants
from tests.edge.doctor.patient import NAME, Patient, tree


def call(patient: Patient, *more: str) -> int:
    words = ["--home", str(patient.home), "doctor", "--root", str(patient.root), *more]
    return console().call(words)


def test_nothing_of_the_home_is_changed_and_no_word_of_a_secret_is_told(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    plants.kept_buffer(patient)
    secrets = [(patient.home / "keys/buffer.key").read_text().strip()]
    secrets += (patient.home / "identity/gateway.key").read_text().split("\n")[1:3]
    for name in ("broker", "proxy"):
        secrets.append(f"{name}-secret-word")
        (patient.home / f"{name}.password").write_text(f"{name}-secret-word\n")
    lines = patient.settings["broker"]
    patient.set("broker", *lines, 'username = "u"', 'password_file = "broker.password"')
    patient.set(
        "cloud", f'proxy = "http://127.0.0.1:{free_port()}"', 'proxy_username = "u"',
        'proxy_password_file = "proxy.password"',
    )  # fmt: skip
    before = tree(patient.home)
    call(patient)
    call(patient, "--json")
    assert tree(patient.home) == before
    said = capsys.readouterr()
    assert "cloud.proxy" in said.out
    for secret in secrets:
        assert secret not in said.out + said.err


def test_a_killed_agents_log_is_looked_at_and_left_as_it_is(patient: Patient) -> None:
    log = plants.kept_buffer(patient, killed=True).with_name("buffer.db-wal")
    assert log.stat().st_size
    before = tree(patient.home)
    found = patient.examined()
    assert "150 rows" in found.of("buffer.whole").found
    assert tree(patient.home) == before


def test_a_home_that_is_not_there_is_told_and_not_made(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.home = patient.folder / "none"
    assert call(patient) == 2
    assert "init" in capsys.readouterr().out
    assert not patient.home.exists()


def test_the_terminal_says_what_is_wrong_and_json_the_same(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.set("broker", 'url = "mqtt://127.0.0.1:1"')
    assert call(patient) == 3
    text = capsys.readouterr().out
    assert "FAULT    broker" in text
    assert "to do: is it running (`systemctl status mosquitto`)" in text
    assert text.splitlines()[-1].startswith("1 fault, ")
    ours = [line for line in text.splitlines() if str(patient.folder) not in line]
    wide = [line for line in ours if len(line) > WIDTH]
    assert wide == []
    assert call(patient, "--json") == 3
    read = json.loads(capsys.readouterr().out)
    assert (read["gateway"], read["code"], read["counts"]["fault"]) == (NAME, 3, 1)
    (wrong,) = [one for one in read["findings"] if one["severity"] == "fault"]
    assert (wrong["name"], wrong["code"]) == ("broker.unreachable", 3)
    assert wrong["looked"]
    assert wrong["to_do"]


def test_what_never_answers_is_left_after_its_time_and_the_rest_is_told(patient: Patient) -> None:
    stuck = threading.Event()

    def hang(case: Case) -> Iterator[Finding]:
        yield ok("stuck.first", "the first look").found("it went well")
        stuck.wait(60)

    def fail(case: Case) -> Iterator[Finding]:
        raise ZeroDivisionError("of nothing")
        yield

    themes = [
        Theme("stuck", (), hang, 0.2, ("look at it", 3)),
        Theme("broken", (), fail, 5.0, ("", 3)),
        Theme("well", (), lambda _: iter([ok("well.well", "the rest").found("")]), 5.0, ("", 3)),
    ]
    found = examine(Case(patient.home, load(patient.home)), themes)
    stuck.set()
    assert [one.name for one in found] == [
        "stuck.first",
        "stuck.hangs",
        "broken.fails",
        "well.well",
    ]
    assert found[2].found == "ZeroDivisionError: of nothing"
    assert exit_code(found) == 3
    assert exit_code(found[2:]) == OURS


def test_every_finding_is_one_that_its_theme_declares() -> None:
    for theme in THEMES:
        names = [kind.name for kind in theme.kinds]
        assert len(set(names)) == len(names)
        assert all(name.partition(".")[0] == theme.name for name in names)
        for kind in theme.kinds:
            assert bool(kind.code) == (kind.severity is Severity.FAULT)
            assert bool(kind.to_do) == (kind.severity is not Severity.OK)


def test_of_several_faults_the_gravest_is_the_exit_code() -> None:
    faults = [fault(f"a.{code}", "x", "do", code).found("y") for code in (3, 4, 2, 5)]
    assert [exit_code(faults[:n]) for n in range(5)] == [0, 3, 4, 2, 5]
    assert exit_code([hint("a.h", "x", "do").found("y")]) == 0


def test_what_a_stranger_said_does_not_command_the_terminal() -> None:
    finding = hint("a.b", "it", "do").found("\x1b[2J evil")
    lines = "\n".join(told(Report(
        gateway="g", home="h", version="1", running=False, at_us=0, code=0,
        counts=counted([finding]), findings=[finding],
    )))  # fmt: skip
    assert "\\x1b[2J" in lines
    assert "\x1b[2J" not in lines


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user for a moment")
def test_another_user_is_told_whom_to_be_and_sees_the_machine(patient: Patient) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.seteuid(65534)
        try:
            case = of_home(Path(home))
            found = {one.name: one for one in examine(case, THEMES)}
        finally:
            os.seteuid(0)
    assert "as the user that the home belongs to" in found["configuration.unusable"].to_do
    assert {"memory.enough", "memory.short"} & found.keys()
    assert not [name for name in found if name.endswith(".fails")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_left_in_another_users_home_is_found(patient: Patient) -> None:
    plants.kept_buffer(patient)
    os.chown(patient.home, 65534, 65534)
    found = patient.examined().of("configuration.owner")
    assert "buffer.db" in found.found
    assert f"chown -R 65534:65534 {patient.home}" in found.to_do


def test_settings_that_name_a_file_that_hangs_keep_nobody_waiting(
    patient: Patient, tmp_path: Path
) -> None:
    os.mkfifo(patient.home / "password")  # a reader waits for ever, as it does on a dead mount
    lines = patient.settings["broker"]
    patient.set("broker", *lines, 'username = "u"', 'password_file = "password"')
    case = of_home(patient.home, patient.root, limit_s=0.3)
    assert case.loaded is None
    found = {one.name: one for one in examine(case, THEMES)}
    assert "no answer within" in found["configuration.unusable"].found
    assert "disk.kind" in found
    command = [Path(sys.executable).parent / "tidegate-edge", "--home", patient.home, "doctor"]
    done = subprocess.run([*command, "--json"], capture_output=True, timeout=60, check=False)
    assert json.loads(done.stdout)["code"] == done.returncode != 0
