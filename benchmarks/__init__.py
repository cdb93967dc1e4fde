"""How fast, beside what: logs of millions of changes, measured questions and their peers; ``python -m benchmarks``."""
