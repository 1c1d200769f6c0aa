"""Streaming: FIFO, lanes, bounded context, machine, events. No torch, no ROS."""
