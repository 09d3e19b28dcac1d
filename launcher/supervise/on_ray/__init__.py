"""Ray beside the ranks: one head for a user's runs on this machine, and the actors that supervise them."""
