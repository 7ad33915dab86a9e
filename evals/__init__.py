"""Measures how well each tier does each task. Suites come with the evals work; see README.md."""
