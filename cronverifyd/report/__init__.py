"""What is told to those who ask: documents from the store, for the command line and for HTTP."""
