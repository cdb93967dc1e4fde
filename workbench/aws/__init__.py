"""The small package around awswrangler and boto3 by which everything here reaches Athena, Glue, S3 and DynamoDB."""
