"""The environment and the secrets, read once into one frozen Settings. Nobody else reads the environment.

Rule: a wrong value stops the start with one clear line, and a secret never prints.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError

PREFIX = "TIERWISE_"
API = "https://api.anthropic.com"
ENV_FILE = Path(".env")
SECRET_CHARACTERS_MIN = 16
SECRETS = frozenset({"keys", "admin_key", "api_key", "auth_token", "redis_url", "jobs_url"})
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SENDABLE = re.compile(r"[!-~]+")  # what a header can carry, without spaces
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
    admin_key: SecretStr | None = None
    body_limit_mb: Annotated[int, Field(ge=1, le=64)] = 32
    drain_s: Annotated[float, Field(ge=0, le=600)] = 30.0
    max_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 2000
    head_timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0
    body_min_bytes_per_s: Annotated[int, Field(ge=1)] = 1024
    log: Literal["json", "off"] = "json"
    redis_url: SecretStr | None = None
    jobs_url: SecretStr | None = None
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
    def admin(self) -> str | None:
        return _plain(self.admin_key)

    @property
    def redis(self) -> str | None:
        """What many processes share is there."""
        return _plain(self.redis_url)

    @property
    def jobs(self) -> str | None:
        """A PostgreSQL for jobs, where more than one process runs them."""
        return _plain(self.jobs_url)

    @property
    def callers(self) -> Mapping[str, str]:
        """Secret to tenant; empty is open to everybody on this machine."""
        return {secret: name for name, secret in _pairs(self.keys)}


def environment(env_file: Path | None = ENV_FILE) -> dict[str, str]:
    """What a policy's `${NAME}` may name: the environment, and `.env` where it says nothing."""
    in_file = dotenv_values(env_file, interpolate=False) if env_file is not None and env_file.is_file() else {}
    return {name: value for name, value in in_file.items() if value is not None} | dict(os.environ)


def load_settings(env_file: Path | None = ENV_FILE, **given: object) -> Settings:
    """From the arguments, else the environment, else `.env`. Raises SettingsError, a line for each problem."""
    try:
        problems = _unknown_names(env_file)
        theirs = _Anthropic(_env_file=env_file)  # type: ignore[call-arg]
        settings = Settings(_env_file=env_file, anthropic=theirs, **given)  # type: ignore[arg-type, call-arg]
    except ValidationError as error:
        problems += [_line(detail) for detail in error.errors(include_url=False, include_context=False)]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{env_file}: cannot be read as text: {error}") from None
    else:
        problems += [*_wrong_keys(settings), *_wrong_upstream(settings), *_wrong_stores(settings)]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _line(detail: ErrorDetails) -> str:
    """One clear line: which variable, what is allowed, and what it was."""
    field = str(detail["loc"][0])
    message = detail["msg"]
    was = "" if field in SECRETS else f", not {str(detail['input'])[:80]!r}"
    return f"{PREFIX}{field.upper()}: {message[:1].lower()}{message[1:]}{was}"


def _pairs(keys: SecretStr) -> list[tuple[str, str]]:
    """The callers' names and secrets, as they were written."""
    parted = (pair.partition(":") for pair in keys.get_secret_value().split(",") if pair.strip())
    return [(name.strip(), secret.strip()) for name, _, secret in parted]


def _wrong_keys(settings: Settings) -> list[str]:
    """A pair is named by its place: what stands before a forgotten colon may be the secret."""
    problems, pairs = [], _pairs(settings.keys)
    for number, (name, secret) in enumerate(pairs, 1):
        if not _TENANT.fullmatch(name):
            problems.append(f"TIERWISE_KEYS: pair {number}: expected name:secret, a name of letters, digits and . _ -")
        elif len(secret) < SECRET_CHARACTERS_MIN or not _SENDABLE.fullmatch(secret):
            problems.append(
                f"TIERWISE_KEYS: pair {number}: expected a secret of {SECRET_CHARACTERS_MIN} or more visible characters"
            )
    admin = settings.admin
    if admin is not None and (len(admin) < SECRET_CHARACTERS_MIN or not _SENDABLE.fullmatch(admin)):
        problems.append(f"TIERWISE_ADMIN_KEY: expected {SECRET_CHARACTERS_MIN} or more visible characters")
    if admin is not None and admin in {secret for _, secret in pairs}:
        problems.append("TIERWISE_ADMIN_KEY: is also a caller's key in TIERWISE_KEYS; a caller must not be an admin")
    if len({secret for _, secret in pairs}) < len(pairs):
        problems.append("TIERWISE_KEYS: two callers have the same secret, so nobody could tell them apart")
    if not pairs and not _is_loopback(settings.host):
        problems.append(
            f"TIERWISE_HOST: {settings.host} can be reached from other machines, so TIERWISE_KEYS must name who may ask"
        )
    return problems


def _wrong_upstream(settings: Settings) -> list[str]:
    problems = [
        f"{name}: holds a space or a character that no header can carry"
        for name, secret in (
            ("ANTHROPIC_API_KEY", settings.upstream_key),
            ("ANTHROPIC_AUTH_TOKEN", settings.upstream_token),
        )
        if secret is not None and not _SENDABLE.fullmatch(secret)
    ]
    if not _is_address(settings.upstream_url):
        # Not shown: it may hold a password.
        problems.append(
            "ANTHROPIC_BASE_URL: expected an https address (http only on this machine), without a password or a query"
        )
    return problems


def _wrong_stores(settings: Settings) -> list[str]:
    """Not shown: they may hold a password."""
    stores = (
        ("TIERWISE_REDIS_URL", settings.redis, ("redis://", "rediss://", "unix://")),
        ("TIERWISE_JOBS_URL", settings.jobs, ("postgresql://", "postgres://")),
    )
    return [
        f"{name}: expected an address that begins with {' or '.join(schemes)}"
        for name, url, schemes in stores
        if url is not None and not url.startswith(schemes)
    ]


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.query or parts.fragment or not _SENDABLE.fullmatch(url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unknown_names(env_file: Path | None) -> list[str]:
    known = [name.upper() for name in Settings.model_fields if name != "anthropic"]
    in_file = dotenv_values(env_file, interpolate=False) if env_file is not None and env_file.is_file() else {}
    problems = []
    for name in sorted({*os.environ, *in_file}):
        given = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and given not in known:
            close = difflib.get_close_matches(given, known, n=1)
            hint = f"; did you mean {PREFIX}{close[0]}?" if close else ""
            problems.append(f"{name}: there is no such setting{hint}")
    return problems
