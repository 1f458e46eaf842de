"""Training configurations: one file is one row of a results table. Data, never imported."""
