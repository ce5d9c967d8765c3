"""The rules of a mutual-aid plan: pure functions over the state, one file per life cycle (contract.md)."""
