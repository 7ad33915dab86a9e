"""A run shown: in the terminal, as one HTML page, and beside a month of the ledger's traffic.

Rule: draws what was found; nothing is tested or decided here.
"""
