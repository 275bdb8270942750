"""The answer of a study or of given matrices in short: which pairs help and how sure that is, what nothing helps, what to look at first."""
