"""A run as its record: events, the state that they fold to, and the folder that holds them."""
