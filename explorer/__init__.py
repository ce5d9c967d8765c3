"""The read-only REST of a node and its pages, over a `ChainReader` (design 1, api.md).

Nothing here writes to the chain, knows the store or knows consensus; the submit API of the node shares the
web plumbing.
"""
