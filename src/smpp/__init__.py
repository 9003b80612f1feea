"""SMPP 3.4 by itself: what a short message centre and its customers say to each other.

An island: standard library only, no tenants, no money. `pdu` names things, `codec` turns them into octets and
back, `session` keeps the order of one bind without any I/O, `client` and `server` put sockets around it, `pair` makes
a transmitter and a receiver look like one bind, `receipt` reads delivery receipts as carriers really write them,
`simulator` is a carrier to test against.
"""
