"""Recordings of a real place beside a matched synthetic split: docs/field_study.md."""
