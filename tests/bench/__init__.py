"""The bench: how fast the service is beside a bare framework and a bare SDK, in one run. See docs/performance.md."""
