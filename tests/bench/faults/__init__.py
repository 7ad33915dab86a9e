"""`make bench-faults`: what callers see while the API fails, beside LiteLLM's proxy on the same faults."""
