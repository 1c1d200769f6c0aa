"""
The networks as ONNX graphs, made of their configuration and weights without any framework.

Knows numpy and onnx; whoever runs a graph is in runtimes.
"""
