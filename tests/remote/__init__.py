"""Ways in from other machines: TLS, SASL, ssh, access control."""
