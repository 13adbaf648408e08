"""The networks and pure tensor maths."""
