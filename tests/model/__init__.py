"""The contract a second time, as simply as it can be said: plain dictionaries, a walk over all members for each charge.

Nothing here looks at the real tables. A share index, running sums, range sums, deadlines in buckets: none of that
exists. Each member has fen, each deadline counts down the days on which the plan was not stopped, each charge is taken
from one member after the other. What a call must not do is collected as a set of codes;
the real contract names one of them.

    book.py, records.py, cases.py, house.py     what there is
    rules.py, days.py                           who calls what; what happens by itself at 0:00
    members.py, settle.py, claims.py, ...       one life cycle each
    compare.py and its like                     what both sides must agree on
    story.py                                    one plan, lived twice: a call, or days, done to both
    validators.py, reveals.py                   who votes on blocks, and what he reveals for the lot
    starts.py and its like                      where stories begin, reached by real calls
    machine.py and its like                     hypothesis: any call by anybody, both sides compared after each step
    small.py                                    odds and sizes at which a dozen people suffice

A machine differs from the next by its terms (starts.py); the second half of them tell mostly of claims. One thing the
model takes from the contract, because it cannot know it: whom the lot drew (oracle.py); it checks whether he may be.
A difference means that one side is wrong: the published rules say which (docs/contract.md, docs/adr). test_mutants.py
shows that mistakes in the contract are found. `make model RUNS=20000` looks for more.
"""
