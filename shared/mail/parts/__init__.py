"""What comes inside a mail in a wrapping of its own: TNEF, S/MIME, PGP, invitations, uuencode, yEnc."""
