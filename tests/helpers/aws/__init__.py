"""AWS in small, for tests: moto, and an Athena that executes queries."""
