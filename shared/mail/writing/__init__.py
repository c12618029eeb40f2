"""Mail that we write: composed, checked, templates and quotes."""
