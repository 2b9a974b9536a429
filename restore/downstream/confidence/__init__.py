"""How well a classifier knows how well it knows."""
