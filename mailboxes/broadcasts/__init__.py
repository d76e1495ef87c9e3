"""Messages to many mailboxes: who gets them, the form, the job, the pages."""
