"""Networks with their weights, as a config or a folder names them."""
