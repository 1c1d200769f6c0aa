"""The robot's voice: from a text to what goes to the loudspeaker, without ROS."""
