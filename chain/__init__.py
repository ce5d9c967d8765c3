"""The ledger: data, codec, crypto, contract rules and store. Imports no other package of ours; pure but for
`store.py`."""
