"""The verbs of `tierwise eval` and `tierwise gate`: options, edges and what is printed."""
