"""The page to watch: what it is told, who may see it, and the server. Knows no ROS."""
