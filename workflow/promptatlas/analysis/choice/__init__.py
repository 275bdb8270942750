"""Which prompt serves a target best, or none: the decision, and how well its rule does where the truth is known."""
