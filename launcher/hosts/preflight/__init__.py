"""What is looked at on hosts before a run starts there, and what is found."""
