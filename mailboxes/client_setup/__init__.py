"""What lets mail programs set themselves up: servers, documents, profiles and DNS records."""
