"""Training: one loop that knows no loss, steps that know nothing of the loop."""
