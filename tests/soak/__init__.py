"""`make soak`: the whole service as processes under load, killed and starved at random: nothing is lost or doubled.

`child` is one process with its hooks, `machine` the service made of them, `writers` the load, `troubles` what happens
to them, `verdict` what must hold at the end. The dice are seeded: a seed gives the same troubles in the same order,
though not at the same instants.
"""
