"""The composition root: builds, wires, starts and stops; the only room with threads and a clock."""
