"""The command line: one function a command, the only room that prints."""
