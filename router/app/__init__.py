"""The composition root: the only room that constructs edges and hands them to the trunk.

    service.py      all of it, in the order in which it is opened and closed
    remembering.py  what is kept between requests       switching.py  the policy in force
    later.py        jobs, webhooks, idempotency keys    wellbeing.py  what /health and /metrics say
    beside.py       what runs beside the requests, and whether it still does

Rule: no decision, no parsing, no route.
"""

from .service import Service, running_service

__all__ = ["Service", "running_service"]
