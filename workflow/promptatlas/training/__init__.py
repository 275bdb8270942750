"""From images and a method to what is learned: prompts, shared learners, adapters, a linear probe. Knows nothing of studies."""
