"""The environment and the secrets, read once into one frozen Settings. Nobody else reads the environment.

Rule: a wrong value stops the start with one clear line, and a secret never prints.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError

PREFIX = "TIERWISE_"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
API = "https://api.anthropic.com"
ENV_FILE = Path(".env")
SECRET_CHARACTERS_MIN = 16
BUNDLED_POLICY = Path(__file__).resolve().parent.parent / "policies" / "default.yaml"


class _Anthropic(BaseSettings):
    """What the SDK's own users have set already."""

    model_config = SettingsConfigDict(env_prefix="ANTHROPIC_", frozen=True, extra="ignore", env_ignore_empty=True)

    api_key: SecretStr | None = None
    auth_token: SecretStr | None = None
    base_url: str | None = None


class Settings(BaseSettings):
    """Every knob of the service. docs/operations.md explains each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8787
    data_dir: Path = Path("var")
    policy: Path = BUNDLED_POLICY
    models: Path | None = None
    prices: Path | None = None
    keys: SecretStr = SecretStr("")
    body_limit_mb: Annotated[int, Field(ge=1, le=64)] = 32
    drain_s: Annotated[float, Field(ge=0, le=600)] = 30.0
    max_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 2000
    head_timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0
    body_min_bytes_per_s: Annotated[int, Field(ge=1)] = 1024
    log: Literal["json", "off"] = "json"
    upstream_connections: Annotated[int, Field(ge=1, le=20_000)] = 1000
    anthropic: _Anthropic = Field(default_factory=_Anthropic, exclude=True, repr=False)

    @property
    def uses_standin(self) -> bool:
        """Nobody said whom to ask: the bundled stand-in answers."""
        return self.anthropic.api_key is None and self.anthropic.auth_token is None and self.anthropic.base_url is None

    @property
    def upstream_url(self) -> str:
        return (self.anthropic.base_url or API).rstrip("/")

    @property
    def upstream_key(self) -> str | None:
        return _plain(self.anthropic.api_key)

    @property
    def upstream_token(self) -> str | None:
        return _plain(self.anthropic.auth_token)

    @property
    def callers(self) -> Mapping[str, str]:
        """Secret to tenant; empty is open to everybody on this machine."""
        pairs = (pair.strip() for pair in self.keys.get_secret_value().split(",") if pair.strip())
        return {secret: name for name, _, secret in (pair.partition(":") for pair in pairs)}


def load_settings(env_file: Path | None = ENV_FILE, **given: object) -> Settings:
    """From the arguments, else the environment, else `.env`. Raises SettingsError, a line for each problem."""
    problems = _unknown_names(env_file)
    try:
        theirs = _Anthropic(_env_file=env_file)  # type: ignore[call-arg]
        settings = Settings(_env_file=env_file, anthropic=theirs, **given)  # type: ignore[arg-type, call-arg]
    except ValidationError as error:
        problems += [_line(detail) for detail in error.errors(include_input=False, include_url=False)]
    else:
        problems += _conflicts(settings)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _line(detail: Mapping[str, object]) -> str:
    """One clear line: which variable, and what is allowed."""
    place = detail["loc"]
    assert isinstance(place, tuple), "pydantic says where"
    name = PREFIX + str(place[0]).upper()
    return f"{name}: {str(detail['msg'])[:1].lower()}{str(detail['msg'])[1:]}"


def _conflicts(settings: Settings) -> list[str]:
    problems = []
    pairs = [pair for pair in settings.keys.get_secret_value().split(",") if pair.strip()]
    if any(not name.strip() or len(secret.strip()) < 16 for name, _, secret in (pair.partition(":") for pair in pairs)):
        problems.append(
            "TIERWISE_KEYS: expected name:secret pairs with commas between, each secret of 16 characters or more"
        )
    if settings.host not in LOOPBACK and not pairs:
        problems.append(
            f"TIERWISE_HOST: {settings.host} can be reached from other machines, so TIERWISE_KEYS must name who may ask"
        )
    address = urlsplit(settings.upstream_url)
    plain_but_local = address.scheme == "http" and address.hostname in LOOPBACK
    if (address.scheme != "https" and not plain_but_local) or not address.hostname:
        problems.append("ANTHROPIC_BASE_URL: expected an https address (http only on this machine)")
    return problems


def _unknown_names(env_file: Path | None) -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields if name != "anthropic"}
    found = {name for name in os.environ if name.upper().startswith(PREFIX)} | _names_in(env_file)
    problems = []
    for name in sorted(found):
        if name.upper() not in known:
            close = difflib.get_close_matches(name, known, n=1)
            problems.append(f"{name}: there is no such setting" + (f"; did you mean {close[0]}?" if close else ""))
    return problems


def _names_in(env_file: Path | None) -> set[str]:
    if env_file is None or not env_file.is_file():
        return set()
    names = (line.removeprefix("export ").partition("=")[0].strip() for line in env_file.read_text().splitlines())
    return {name for name in names if name.upper().startswith(PREFIX)}
