"""What tests share: an app in memory, a mail server in memory, mails to send."""
