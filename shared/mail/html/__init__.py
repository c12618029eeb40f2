"""HTML of mails: turned into text, and made harmless for display."""
