"""The four-stage trainer: recipes in, folders that the runtime loads out."""
