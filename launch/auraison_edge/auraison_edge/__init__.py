"""Starts the Auraison Edge daemon from ROS."""
