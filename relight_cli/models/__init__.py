"""The networks and their pure tensor mathematics."""
