"""Training of generators: pictures of one kind in, a network that makes more of them out."""
