"""CueAPI, the scheduling service off the host."""
