"""
Alerts that the replies of the model's assistant lane decide.

Every stream is heard twice, with replies and without (``listener``), and measured with baselines
beside (``figures``), for the screen (``tables``) and as pictures (``pictures``).
"""
