"""A test server that answers for AWS."""

from tests.helpers.aws.fixtures import empty, impatient, server  # noqa: F401
