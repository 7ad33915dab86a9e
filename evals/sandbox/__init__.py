"""Where what a model wrote is run: a process of its own, from which nothing can be reached, changed or kept.

    running.py    starts the process and reads what it says     code.py     in it: a repair and its tests
    confine.py    in it: shuts the doors, one after another     queries.py  in it: queries
    namespaces.py, landlock.py, seccomp.py, audit.py            the doors

Rule: all but running.py runs in the child, where there is nothing but the standard library; nothing is imported here.
"""
