"""
From what was heard of streams to the figures of alerts. Knows neither models nor audio nor files.

A stream and what was said in it (``outcome``); how many events are found and how soon
(``recall``), what is raised for nothing (``false_alarms``), whether p_respond is a probability
(``calibration``), what another threshold would give (``trade_off``), and all of it together
(``summary``). What a detection is, eval.matching says.
"""
