"""What to train and what to measure when not everything can be: from a matrix of gains, with no prompt and no image at hand."""
