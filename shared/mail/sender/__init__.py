"""Whether a sender is real: Authentication-Results, ARC, DKIM."""
