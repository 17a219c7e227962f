"""Pure judgment: no file, no clock, no database, no network."""
