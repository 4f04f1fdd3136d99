"""What a person can do, one file per feature; a command and its button share one body."""
