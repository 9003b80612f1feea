"""The island against peers that nobody here wrote: clients and PDU libraries from PyPI, and Wireshark's dissector."""
