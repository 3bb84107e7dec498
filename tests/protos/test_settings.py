"""The settings dialect: every wrong key is named, with what it takes and the nearest right one."""

import contextlib
from enum import StrEnum
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from protos.settings import (
    SETTINGS_TEXT_MAX,
    SettingsError,
    WrongValueError,
    read_settings,
    toml_value,
)
from protos.settings_page import settings_file, settings_guide


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Paint(msgspec.Struct, frozen=True, kw_only=True):
    """What it looks like."""

    name: Annotated[str, Meta(description="Its name.")]
    colour: Annotated[Colour, Meta(description="Its colour.")] = Colour.RED
    litres: Annotated[
        int, Meta(description="How much.", ge=1, le=1000, extra={"unit": "litres"})
    ] = 10
    share: Annotated[float, Meta(description="How thick.", gt=0, le=1)] = 0.5
    coats: Annotated[list[str], Meta(description="On what.")] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.name == "none":
            raise WrongValueError("name", "paint without a name", "give it one")


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is sold."""

    open: Annotated[bool, Meta(description="Whether it is open.")] = False


class House(msgspec.Struct, frozen=True, kw_only=True):
    paint: Paint
    shop: Shop


GOOD = '[paint]\nname = "sky"\n'

WRONG = {
    "an unknown key near a right one": (
        GOOD + "litre = 3", "unknown key `paint.litre`", "did you mean `paint.litres`?"),
    "an unknown key of another section": (
        GOOD + "open = true", "unknown key `paint.open`", "`open` belongs in [shop]"),
    "an unknown key like no other": (
        GOOD + "zzzz = 1", "unknown key `paint.zzzz`", "[paint] knows name, colour"),
    "an unknown section": (GOOD + "[shopp]", "unknown section `shopp`", "did you mean [shop]?"),
    "a key outside any section": ("x = 1\n" + GOOD, "unknown key `x`", "the sections are"),
    "a section that is a value": ("shop = 1\n" + GOOD, "`shop`: expected a section", "[shop]"),
    "a missing key": ("", "missing key `paint.name`", "add it: a string"),
    "a text for a number": (
        GOOD + 'litres = "many"',
        'expected a whole number from 1 to 1_000 (litres), got the string "many"',
        "correct `paint.litres`, or remove it: litres = 10 is the default"),
    "a truth for a number": (GOOD + "litres = true", "got the boolean true", ""),
    "a number out of range": (GOOD + "litres = 1001", "got the value 1_001", ""),
    "a number beyond any machine": (GOOD + "litres = " + "9" * 40, "got the value 9", ""),
    "a number at an open limit": (GOOD + "share = 0", "a number above 0 up to 1, got", ""),
    "a number for a text": ("[paint]\nname = 3", "expected a string, got the value 3",
        "correct `paint.name`"),
    "a wrong choice": (GOOD + 'colour = "rde"', "expected one of red, blue", ""),
    "a list of wrong things": (GOOD + "coats = [1]", "a list of strings, got the list [1]", ""),
    "a date": (GOOD + "litres = 1979-05-27", "got the value 1979-05-27", ""),
    "values that do not go together": ('[paint]\nname = "none"', "`paint.name`: paint without",
        "give it one"),
    "no TOML": ("[paint", "not valid TOML: ", "brackets"),
    "a section twice": (GOOD + "[paint]", "not valid TOML: ", "quotes"),
    "far too much": (GOOD + "#" * SETTINGS_TEXT_MAX, "characters are more than", ""),
}  # fmt: skip


@pytest.mark.parametrize("why", WRONG)
def test_a_wrong_file_is_told_in_one_error(why: str) -> None:
    text, cause, hint = WRONG[why]
    with pytest.raises(SettingsError) as caught:
        read_settings(text, House)
    assert cause in caught.value.cause
    assert hint in caught.value.hint
    assert caught.value.hint, "what to do is always said"
    assert "\n" not in caught.value.cause


def test_all_wrong_keys_are_told_at_once_each_with_its_way_out() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings('[paint]\nname = 1\nlitre = 2\n[shop]\nopen = "yes"\n', House)
    lines = caught.value.cause.splitlines()
    assert [line.split("`")[1] for line in lines] == ["paint.litre", "paint.name", "shop.open"]
    assert lines[0].endswith("(did you mean `paint.litres`?)")


def test_what_is_not_said_holds_its_default() -> None:
    house = read_settings(GOOD, House)
    assert house == House(paint=Paint(name="sky"), shop=Shop())


def test_the_written_file_reads_back_and_shows_every_key() -> None:
    text = settings_file(House, {"paint": {"name": 'a "b" \\ \x7f', "litres": 20}}, "Head\n\nMore")
    house = read_settings(text, House)
    assert house.paint == Paint(name='a "b" \\ \x7f', litres=20)
    for key in ("colour", "share", "coats", "open"):
        assert f"\n# {key} = " in text
    uncommented = text.replace("\n# share", "\nshare").replace("\n# coats", "\ncoats")
    assert read_settings(uncommented, House) == house


def test_the_guide_has_a_row_for_every_key() -> None:
    guide = settings_guide(House, "House")
    row = "| `litres` | How much. | a whole number from 1 to 1_000 (litres) | `10` |"
    assert row in guide
    assert "| `name` | Its name. | a string | must be given |" in guide


@given(st.text())
def test_any_text_survives_being_written_as_toml(text: str) -> None:
    read = read_settings(f"[paint]\nname = {toml_value('x' + text)}", House)
    assert read.paint.name == "x" + text


@given(st.text())
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(SettingsError):
        read_settings(text, House)
