"""Settings: where each comes from, and that a wrong one stops the start with one clear line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli.main import main
from router.errors import SettingsError
from router.settings import Settings, load_settings

SECRET = "a-secret-of-many-characters"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("TIERWISE_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def problem(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()
    assert ("127.0.0.1", 8787, Path("var"), {}) == (settings.host, settings.port, settings.data_dir, settings.callers)
    assert settings.policy.is_file()


def test_a_value_comes_from_the_command_else_the_environment_else_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "export TIERWISE_PORT=1 # of three\nTIERWISE_DRAIN_S='1'\nTIERWISE_LOG=off\nUNRELATED=1\nANTHROPIC_API_KEY=k\n"
    )
    monkeypatch.setenv("TIERWISE_PORT", "2")
    monkeypatch.setenv("TIERWISE_DRAIN_S", "2")
    settings = load_settings(port=3)
    assert (3, 2.0, "off", "k") == (settings.port, settings.drain_s, settings.log, settings.upstream_key)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "PORT",
            "http",
            "TIERWISE_PORT: input should be a valid integer, unable to parse string as an integer, not 'http'",
        ),
        ("PORT", "70000", "TIERWISE_PORT: input should be less than or equal to 65535, not '70000'"),
        ("LOG", "xml", "TIERWISE_LOG: input should be 'json' or 'off', not 'xml'"),
        ("BODY_LIMIT_MB", "0", "TIERWISE_BODY_LIMIT_MB: input should be greater than or equal to 1, not '0'"),
        ("DRAIN_S", "nan", "TIERWISE_DRAIN_S: input should be less than or equal to 600, not 'nan'"),
        ("PROT", "1", "TIERWISE_PROT: there is no such setting; did you mean TIERWISE_PORT?"),
        ("QQQQQQ", "", "TIERWISE_QQQQQQ: there is no such setting"),
        (
            "HOST",
            "0.0.0.0",
            "TIERWISE_HOST: 0.0.0.0 can be reached from other machines, so TIERWISE_KEYS must name who may ask",
        ),
    ],
)
def test_a_wrong_value_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str) -> None:
    assert line == problem(monkeypatch, **{f"TIERWISE_{name}": value})


def test_each_wrong_value_has_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problem(monkeypatch, TIERWISE_PORT="x", TIERWISE_LOG="y", TIERWISE_PROT="z").split("\n")
    assert ["TIERWISE_LOG", "TIERWISE_PORT", "TIERWISE_PROT"] == sorted(line.partition(":")[0] for line in lines)


def test_a_name_that_is_wrong_in_the_file_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("TIERWISE_KEY=x\n")
    assert "TIERWISE_KEY: there is no such setting; did you mean TIERWISE_KEYS?" == problem(monkeypatch)


def test_a_file_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"TIERWISE_PORT=\xff\xfe")
    assert problem(monkeypatch).startswith(".env: cannot be read as text")


def test_what_is_empty_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIERWISE_PORT", "TIERWISE_KEYS", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (8787, True) == (settings.port, settings.uses_standin)


# ---- who may ask


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_on_loopback_nobody_needs_a_key(host: str) -> None:
    assert {} == load_settings(host=host).callers


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "localhost.example.com", "127.0.0.1.example"]
)
def test_elsewhere_somebody_must_be_named(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert problem(monkeypatch, TIERWISE_HOST=host).startswith(f"TIERWISE_HOST: {host} can be reached")
    monkeypatch.setenv("TIERWISE_KEYS", f"team:{SECRET}")
    assert host == load_settings().host


def test_keys_are_pairs_of_a_name_and_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_KEYS", f" team-a:{SECRET}, team.b : {SECRET}:with:colons ,team-a:{SECRET}-the-next,")
    assert {
        SECRET: "team-a",
        f"{SECRET}:with:colons": "team.b",
        f"{SECRET}-the-next": "team-a",
    } == load_settings().callers


@pytest.mark.parametrize(
    "pair",
    [
        SECRET,
        f":{SECRET}",
        f"a b:{SECRET}",
        "team:short-secret",
        f"team:{SECRET} x",
        f"team:{SECRET}\xe9",
        f"{SECRET}:",
    ],
)
def test_a_wrong_pair_is_named_by_its_place_and_never_shown(monkeypatch: pytest.MonkeyPatch, pair: str) -> None:
    line = problem(monkeypatch, TIERWISE_KEYS=f"good:another-secret-of-many,{pair}")
    assert line.startswith("TIERWISE_KEYS: pair 2: expected")
    assert "secret-of-many" not in line


def test_two_callers_with_one_secret_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "same secret" in problem(monkeypatch, TIERWISE_KEYS=f"a:{SECRET},b:{SECRET}")


# ---- whom we ask


@pytest.mark.parametrize(
    ("environment", "standin"),
    [
        ({}, True),
        ({"ANTHROPIC_API_KEY": SECRET}, False),
        ({"ANTHROPIC_AUTH_TOKEN": SECRET}, False),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, False),
    ],
)
def test_the_standin_answers_only_when_nobody_else_was_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], standin: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert standin is load_settings().uses_standin


@pytest.mark.parametrize(
    "url", ["https://api.example.com", "https://api.example.com/v/", "http://localhost:9", "http://[::1]:9"]
)
def test_an_address_of_the_api_is_https_or_on_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    assert url.rstrip("/") == load_settings().upstream_url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "api.example.com",
        "https://",
        "https://user:canary@api.example.com",
        "https://api.example.com/?key=canary",
        "https://api.example.com#x",
        "https://api.example.com:port",
        "https://[half",
        "https://api.exa mple.com",
        "file:///etc/passwd",
    ],
)
def test_any_other_address_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    line = problem(monkeypatch, ANTHROPIC_BASE_URL=url)
    assert line.startswith("ANTHROPIC_BASE_URL: expected an https address")
    assert "canary" not in line


@pytest.mark.parametrize(
    ("name", "url", "right"),
    [
        ("TIERWISE_REDIS_URL", "http://:canary@localhost:6379", False),
        ("TIERWISE_REDIS_URL", "canary", False),
        ("TIERWISE_REDIS_URL", "rediss://:canary@localhost:6379/0", True),
        ("TIERWISE_REDIS_URL", "unix:///run/redis.sock", True),
        ("TIERWISE_JOBS_URL", "host=localhost password=canary", False),
        ("TIERWISE_JOBS_URL", "postgresql:canary", False),
        ("TIERWISE_JOBS_URL", "postgresql+psycopg://me:canary@localhost/x", False),
        ("TIERWISE_JOBS_URL", "postgres://me:canary@localhost/x", True),
    ],
)
def test_an_address_of_a_store_begins_as_it_should_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, right: bool
) -> None:
    if right:
        monkeypatch.setenv(name, url)
        load_settings()
        return
    line = problem(monkeypatch, **{name: url})
    assert line.startswith(f"{name}: expected an address that begins with ")
    assert "canary" not in line


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_a_key_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    line = problem(monkeypatch, **{name: "canary\n"})
    assert f"{name}: holds a space or a character that no header can carry" == line


# ---- what is seen of them


def test_secrets_never_print(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("TIERWISE_KEYS", f"team:{SECRET}")
    settings = load_settings()
    shown = [
        repr(settings),
        str(settings),
        f"{settings.anthropic}",
        settings.model_dump_json(),
        repr(settings.model_dump()),
    ]
    assert [] == [text for text in shown if SECRET in text]
    assert (SECRET, SECRET, {SECRET: "team"}) == (settings.upstream_key, settings.upstream_token, settings.callers)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_a_secret_in_the_wrong_place_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value of another setting may stand beside a right secret."""
    assert SECRET not in problem(
        monkeypatch, TIERWISE_KEYS=f"team:{SECRET}", ANTHROPIC_API_KEY=SECRET, TIERWISE_PORT="x"
    )


def test_serve_stops_with_the_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_PORT", "x")
    told = CliRunner().invoke(main, ["serve"])
    assert (2, "", 1) == (told.exit_code, told.stdout, told.stderr.count("\n"))
    assert told.stderr.startswith("TIERWISE_PORT: ")


def test_an_option_of_serve_is_judged_as_its_setting_is() -> None:
    told = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0"])
    assert (2, True) == (told.exit_code, told.stderr.startswith("TIERWISE_HOST: 0.0.0.0 can be reached"))


def test_a_verb_that_is_misspelt_names_the_nearest() -> None:
    told = CliRunner().invoke(main, ["serv"])
    assert (2, True) == (told.exit_code, "there is no verb 'serv'; did you mean serve?" in told.stderr)


def test_every_setting_has_a_default() -> None:
    assert [] == [name for name, field in Settings.model_fields.items() if field.is_required()]
