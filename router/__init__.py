"""Tierwise: a tiered model router for the Claude API. The rooms are drawn in docs/request.md."""

__version__ = "0.5.0"
