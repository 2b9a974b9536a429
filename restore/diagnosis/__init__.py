"""What is wrong with a picture: measurements in physical units, each with an error bar."""
