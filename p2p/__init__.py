"""Network between known validators; carries opaque payloads."""
