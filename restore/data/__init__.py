"""Where training pictures come from: a library of decoded photographs, or pairs of folders."""
