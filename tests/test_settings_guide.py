"""The guide's page of settings is the settings' own table: run this file to write it anew."""

from pathlib import Path

from cloud.settings import CloudSettings
from edge.settings import EdgeSettings
from protos.settings_page import settings_guide

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "settings.md"
HEAD = """# Settings

Each half reads one TOML file in its home: `edge.toml` on a gateway, `cloud.toml` in the cloud.
`init` writes it with every key in it, commented out. A key that is not there holds its default; an
unknown key, a wrong type or a value out of range stops the start with one message that names it.
Relative paths are relative to the home.

The home is `--home DIR`, else `TIDEGATE_EDGE_HOME` or `TIDEGATE_CLOUD_HOME`, else
`/var/lib/tidegate-edge` or `/var/lib/tidegate-cloud` for root, else `~/.tidegate/edge` or
`~/.tidegate/cloud`.

"""


def page() -> str:
    edge = settings_guide(EdgeSettings, "The gateway: edge.toml")
    return HEAD + edge + "\n" + settings_guide(CloudSettings, "The cloud: cloud.toml")


def test_the_page_of_settings_is_current() -> None:
    assert PAGE.read_text() == page(), f"run `python {Path(__file__).name}` in tests/"


def test_every_setting_has_a_meaning() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    for row in rows:
        _, meaning, takes, default = row.strip("| ").split(" | ")
        assert meaning.endswith("."), row
        assert takes, row
        assert default, row


if __name__ == "__main__":
    PAGE.write_text(page())
