"""Whole days of traffic, bad weather included, on a clock of their own: the real story in a made-up world.

    loop.py       time that jumps               weather.py    which faults strike, and when
    models.py     the API's models: room, pace  bodies.py     what the API says, byte by byte
    upstream.py   the API, behind ports.Upstream  truth.py    what the API would bill
    books.py      a ledger that can be held against that bill
    traffic.py    who asks what, and when       composing.py  the story, wired
    client.py     one request, to its end       promises.py   what must be true of it
    run.py        a simulation from its seed to its end       __main__.py   replays one

Rule: everything follows from the seed. No real clock, no real dice, no thread, no socket.
"""
