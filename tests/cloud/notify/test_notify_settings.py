"""The settings of being told: what is taken, and what is refused with the way out."""

import pytest

from cloud.config import FILE_NAME, load
from cloud.errors import OperatorError
from cloud.notify.rule import What
from cloud.settings import CloudSettings
from protos.settings import read_settings
from protos.settings_page import settings_file

HOOK = '[notify.channels.ops]\nkind = "webhook"\nurl = "https://h.example/x"\n'
MAIL = (
    '[notify.channels.mail]\nkind = "smtp"\nurl = "smtp://h.example"\n'
    'sender = "a@b.example"\nrecipients = ["c@d.example"]\n'
)
LIMIT = '[notify.rules.cold]\non = "limit"\n'


def notify(text: str):
    return read_settings(text, CloudSettings).notify


WRONG = {
    "a zone that is none": ('[notify]\nzone = "Europe/Berln"', "`notify.zone`", "Europe/Berlin"),
    "a kind that is none": (
        HOOK.replace('"webhook"', '"webhok"'), "`notify.channels.ops.kind`", 'mean "webhook"',
    ),
    "a rule on nothing": (
        '[notify.rules.a]\non = "silent"', "`notify.rules.a.on`", 'did you mean "silence"?',
    ),
    "a misspelt key": (HOOK + 'secretfile = "x"', "ops.secretfile", "ops.secret_file"),
    "a channel that is none": (
        HOOK + '[notify.rules.a]\non = "gap"\nchannels = ["opps"]',
        "`notify.rules.a.channels`: there is no channel 'opps'", "did you mean ops?",
    ),
    "plain HTTP": (HOOK.replace("https", "http"), "`notify.channels.ops.url`", "use https"),
    "plain mail": (MAIL + "starttls = false", "`notify.channels.mail.url`", "starttls = true"),
    "a password in an address": (
        HOOK.replace("h.example", "me:pw@h.example"), "a password does not belong", "secret_file",
    ),
    "an address of another kind": (
        HOOK.replace("https://", "smtp://"), "is not of https or http", "write https://",
    ),
    "no host": (HOOK.replace("h.example", ""), "names no host", "write https://"),
    "no port": (HOOK.replace("h.example", "h.example:x"), "is no address", "write https://"),
    "mail to nobody": (
        MAIL.replace('["c@d.example"]', "[]"), "`notify.channels.mail.recipients`", "name@",
    ),
    "mail to no address": (
        MAIL.replace("c@d.example", "c d"), "'c d' is no address of mail", "name@example.org",
    ),
    "a user without a password": (MAIL + 'user = "u"', "`user` has no password", "file"),
    "a webhook with a user": (HOOK + 'user = "u"', "a webhook has none", "remove user"),
    "a quiet time that is none": (
        HOOK + 'quiet = ["at night"]', "`notify.channels.ops.quiet`", '"22:00-07:00"',
    ),
    "no limit": (LIMIT, "there is no limit", "write `above`, `below` or both"),
    "limits that nothing is between": (
        LIMIT + "above = 1.0\nbelow = 0.0\nhysteresis = 0.5", "no reading lies between", "higher",
    ),
    "a limit that is no number": (LIMIT + "above = nan", "nan is no limit", "write a number"),
    "a key of another kind": (
        LIMIT + "above = 1.0\nsilent_s = 9.0",
        "a rule on limit has no such key, only silence", "remove silent_s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", WRONG)
def test_what_cannot_be_told_is_refused_with_its_key_and_the_nearest_choice(tmp_path, why):
    text, cause, hint = WRONG[why]
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(OperatorError) as caught:
        load(tmp_path)
    assert cause in caught.value.cause
    assert hint in caught.value.hint


def test_a_kind_without_a_rule_has_its_default_and_one_with_a_rule_has_that_alone():
    assert set(notify("").all_rules) == {"silence", "buffer", "certificate", "gap", "episode"}
    told = notify('[notify.rules.attic]\non = "silence"\ngateways = "attic*"').all_rules
    assert [name for name, rule in told.items() if rule.on is What.SILENCE] == ["attic"]


def test_a_gateway_is_silent_by_the_strictest_rule_about_it_else_as_without_rules():
    assert notify("").silent_s("attic") == 300
    rule = '[notify.rules.%s]\non = "silence"\ngateways = "%s"\nsilent_s = %s\n'
    told = notify(rule % ("a", "at*", 900.0) + rule % ("b", "*tic", 60.0) + LIMIT + "above = 1.0")
    assert [told.silent_s(name) for name in ("attic", "at-sea", "pump")] == [60, 900, 300]


def test_a_rule_tells_the_channels_it_names_that_want_its_severity():
    told = notify(
        HOOK + MAIL + 'severity_min = "critical"\n'
        '[notify.rules.a]\non = "gap"\n'
        '[notify.rules.b]\non = "gap"\nseverity = "critical"\nchannels = ["m*"]\n'
        '[notify.rules.c]\non = "gap"\nchannels = []\n'
    )
    found = {name: told.channels_of(rule) for name, rule in told.rules.items()}
    assert found == {"a": ["ops"], "b": ["mail"], "c": []}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_may_be_spoken_to_plainly(host):
    assert notify(HOOK.replace("https://h.example", f"http://{host}:8080")).channels
    assert notify(MAIL.replace("h.example", f"{host}:25") + "starttls = false").channels


def test_the_commented_file_shows_every_key_of_channels_and_rules_and_can_be_taken_as_it_is():
    written = settings_file(CloudSettings, {}, "settings")
    aloud = written.replace("\n# ", "\n")
    plain = "\n".join(ln for ln in aloud.splitlines() if " = " in ln or ln.startswith("["))
    told = notify(plain)
    assert list(told.channels) == ["example"]
    assert list(told.rules) == ["example"]
