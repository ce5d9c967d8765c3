"""The part of lxml that node/bank uses; the library ships no types."""
