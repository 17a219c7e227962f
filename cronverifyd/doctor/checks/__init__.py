"""Say what facts mean. Pure: nothing here looks at the host."""
