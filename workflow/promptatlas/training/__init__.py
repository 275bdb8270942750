"""From images and a method to what is trained: prompts, shared learners, adapters, a linear probe."""
