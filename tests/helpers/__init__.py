"""What tests share: logs to write, questions to ask, an AWS to ask them of."""
