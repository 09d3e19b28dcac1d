"""What broke first, why, and the change that mends it: from the lines of logs to findings and a cause."""
