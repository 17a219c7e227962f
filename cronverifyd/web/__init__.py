"""The HTTP listeners and the control socket."""
