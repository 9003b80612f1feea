"""The panel over HTTP, in one process: pages as a browser asks for them, and what stands in the tables afterwards."""
