"""The custodian's files: ISO 20022 statements and payments, turned into calls of the chain and back (issue 3)."""
