"""Training of the degradation classifier and of what predicts the gain of a treatment."""
