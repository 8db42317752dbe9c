"""New guests: options to document, media detection, storage creation, operating-system facts."""
