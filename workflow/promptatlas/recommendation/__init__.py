"""Which prompt for one's own images: prompts of finished studies tried on a few labelled images, and what to do with them."""
