"""Alert policy: from replies to latched, counted, acknowledged alerts. Core ring."""
