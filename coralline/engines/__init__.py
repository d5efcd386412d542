"""Where steps run: Docker containers, or local environments made from the same locks."""
