"""Corpora into clips and dialogues: importers, licences, the recipe, the lhotse store."""
