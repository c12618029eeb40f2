"""New words and quoted words told apart, and mails that somebody passed on."""
