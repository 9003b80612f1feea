"""The carriers' side of the house: one link per carrier, and the only room that imports `smpp`.

A link leases work from the queue, keeps a window of submits open, gathers what the carrier answers and has it
written down in bulk. `outbox` is the work in memory, `pace` how fast it may go, `recorder` what was learnt and
not yet written, `link` the connection, `links` one link for each active carrier. No transaction is ever open
while something is on the wire.
"""
