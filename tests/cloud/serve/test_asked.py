"""Requests are counted by path and outcome, whatever a caller makes up."""

from pathlib import Path

from starlette.testclient import TestClient

from cloud.serve.asked import ELSEWHERE, Asked
from tests.cloud.serve_world import World


def test_requests_are_counted_by_path_and_outcome(tmp_path: Path) -> None:
    asked = Asked(World(tmp_path).app)
    client = TestClient(asked, base_url="http://localhost:8460")
    for path in ("/healthz", "/api/v1/status", "/api/v1/status", "/api/v1/status?x=1"):
        client.get(path)
    assert asked.requests == {
        ("/healthz", "2xx"): 1,
        ("/api/v1/status", "2xx"): 2,
        ("/api/v1/status", "4xx"): 1,
    }
    assert sum(asked.seconds.snapshot().counts) == 4


def test_made_up_paths_make_no_new_figures(tmp_path: Path) -> None:
    asked = Asked(World(tmp_path).app)
    client = TestClient(asked, base_url="http://localhost:8460")
    for number in range(20):
        client.get(f"/api/v1/made-up-{number}")
        client.get(f"/{number}")
    assert {path for path, _ in asked.requests} == {ELSEWHERE}
    assert asked.requests.total() == 40
