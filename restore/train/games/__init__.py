"""Several networks against or without each other: unpaired, paired-adversarial and reference-free training."""
