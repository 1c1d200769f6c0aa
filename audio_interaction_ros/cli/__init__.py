"""The command line `audio-interaction`; no ROS needed."""
