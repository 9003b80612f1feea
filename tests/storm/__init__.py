"""The storm: real processes, real PostgreSQL and a hostile carrier, in which everything that can break does.

    weather    the schedule of a run, drawn whole from its seed before anything starts
    proxy      a place in between two ends, which can cut, stall, delay and go away
    clock      the time that Ulak's processes are told, which can jump
    carrier    a hostile carrier that remembers every submit
    world      all of it together: processes, proxies, carriers, the disk
    faults     what goes wrong, by name, and how many messages each may send twice
    customers  who sends meanwhile, repeats, and walks away; every answer is noted
    laws       what holds at every instant, and what holds at the end
    storm      one run

`make storm SEED=7 FAULTS=200` runs it and prints the tables; `test_storm.py` is a short one.
"""
