"""The guide of the Pi: the script that tries it reads every command of it, and knows its order."""

from tests.pi import guide
from tests.pi.__main__ import FIRST, SECOND, THIRD
from tests.pi.here import HEADINGS


def test_every_command_of_the_guide_is_below_a_heading_that_the_script_follows() -> None:
    parts = guide.parts()
    assert sum(len(part.commands) for part in parts) > 15
    for part in parts:
        assert part.heading.startswith((*FIRST, SECOND, THIRD)), part.heading
        assert part.machine in ("pi", "cloud"), part


def test_the_guide_has_no_block_of_commands_for_nobody() -> None:
    text = guide.GUIDE.read_text()
    assert text.count("```") == 2 * len(guide.parts())


def test_commands_are_read_in_order_with_their_machine() -> None:
    text = "## 1. One\n```sh pi\na b\nc\n```\n\n```sh cloud\nd\n```\n## Two\n```sh pi\ne\n```\n"
    assert guide.parts(text) == [
        guide.Part("1. One", "pi", ("a b", "c")),
        guide.Part("1. One", "cloud", ("d",)),
        guide.Part("Two", "pi", ("e",)),
    ]


def test_a_real_pi_is_neither_emptied_nor_given_up() -> None:
    typed = [
        one for part in guide.parts() if part.heading.startswith(HEADINGS) for one in part.commands
    ]
    assert typed
    assert not [one for one in typed if "purge" in one or "remove" in one]
