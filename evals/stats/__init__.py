"""How sure a finding is: intervals, clusters, planned looks, judges. Numbers in, records out.

Rule: pure. No file, no clock, no settings; chance comes as a seeded Generator in an argument.
"""
