"""Small programs that use vosjax; see README.md beside them."""
