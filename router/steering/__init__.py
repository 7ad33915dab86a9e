"""Which policy serves whom, and how it changes while the service runs.

    helm.py      the policy in force: loaded, reloaded, kept when the new file is wrong; every change on record
    rollouts.py  the candidate: shadow, canary, promotion, rollback by guardrails
    state.py     what of that survives a restart       said.py   a policy in lines, for diffs without secrets
    alarms.py    when a person is called               watching.py   the files, for changes

Rule: what is allowed or worse is decided in decide/; here it is held, switched, kept and told.
"""
