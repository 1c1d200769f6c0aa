"""
The head that tells sounds apart: from clips to ``sounds.safetensors`` and its curves.

Scenes are composed (``scenes``), heard once by the frozen encoder (``embeddings``) and labelled
chunk by chunk (``audible``); a small net (``net``) learns them (``fit``), is calibrated on
recordings that it was not trained on (``calibration``), and measured there (``curves``).
"""
