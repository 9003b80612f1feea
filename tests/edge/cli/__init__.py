"""The command line in one process with the tests, on a real database of each test's own."""
