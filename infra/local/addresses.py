"""Where the demo mail server is, for all who speak of it."""

HOST = "127.0.0.1"  # loopback only: it takes mail for anybody
USER = "support"
ADDRESS = "support@demo.localhost"  # .localhost never leaves the machine (RFC 6761 6.3)
SENT = "sent"  # folder in STATE_DIR: what the desk sent
