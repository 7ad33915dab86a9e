"""YAML on disk -> a checked, frozen Rulebook, or every problem at once with its line and a caret.

    document.py   the text as a tree whose every node knows its line and column; refuses what is not plain data
    conform.py    the tree held against the records of decide/policy.py
    catalogue.py  models.yaml      pricelist.py  prices.yaml      crosschecks.py  what spans fields and files
    loading.py    the three files put together
    schema.py     policy.schema.json and the reference in docs/policies.md, from the same records

Rule: nothing here decides anything about a request, and nothing outside reads a policy file.
"""

from .loading import BUNDLED, DEFAULT_POLICY, load

__all__ = ["BUNDLED", "DEFAULT_POLICY", "load"]
