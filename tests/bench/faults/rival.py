"""LiteLLM's proxy: a pinned version in an environment of its own, configured as its documentation says.

Rule: its retries, allowed failures and cool-down are the values of its page on reliability ("Fallbacks + Retries +
Timeouts + Cooldowns"); its timeouts and its ladder are those that the service gets. It fetches nothing when it runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .scenarios import Load, Scenario

VERSION = "1.106.2"  # of October 2026. Never 1.82.7 or 1.82.8: these two were malicious
HOME = Path.home() / ".cache" / "tierwise-bench" / f"litellm-{VERSION}"

# `timeout` is for a whole answer, `stream_timeout` for the first piece of a stream; a plain answer of the stand-in
# comes whole or not at all, so the service's deadline for a first byte is the fair one for both.
DEPLOYMENT = """\
  - model_name: {name}
    litellm_params:
      model: anthropic/{model}
      api_base: {upstream}
      api_key: bench
      timeout: {load.first_byte_s}
      stream_timeout: {load.first_byte_s}
"""
SETTINGS = """\
litellm_settings:
  num_retries: 3
  request_timeout: {load.deadline_s}
  fallbacks: [{{"haiku": ["sonnet", "opus"]}}]
  allowed_fails: 3
  cooldown_time: 30
"""
CACHE = """\
  cache: true
  cache_params: {type: local, ttl: 3600}
"""
MODELS = {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}


def configuration(scenario: Scenario, load: Load, upstream: str) -> str:
    deployments = [
        DEPLOYMENT.format(name=name, model=model, upstream=upstream, load=load) for name, model in MODELS.items()
    ]
    cache = CACHE if scenario.keeps_replies else ""
    return "model_list:\n" + "".join(deployments) + SETTINGS.format(load=load) + cache


def environment() -> dict[str, str]:
    """Open to this machine, as the service is without keys; quiet; with the price list that it brings along."""
    return {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }


def installed() -> Path:
    """Its command; made on first use, which downloads about 200 MB. An installation that broke off is taken up."""
    command = HOME / "bin" / "litellm"
    if not command.exists():
        print(f"Installing LiteLLM {VERSION} into {HOME} (once; takes a minute) ...", flush=True)
        HOME.parent.mkdir(parents=True, exist_ok=True)
        options = ["--quiet", "--disable-pip-version-check", "--no-input"]
        install = [str(HOME / "bin" / "python"), "-m", "pip", "install", *options, f"litellm[proxy]=={VERSION}"]
        try:
            subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
            subprocess.run(install, check=True)
        except subprocess.CalledProcessError:
            raise SystemExit("bench-faults: LiteLLM could not be installed; --without-litellm leaves it out") from None
    return command
