"""Recording stub: see README.md of the folder above."""
