"""Plans of writes: in files, journals, and applied to the item store and to DynamoDB."""
