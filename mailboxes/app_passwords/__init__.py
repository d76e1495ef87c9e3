"""The pages of app passwords: of the signed-in owner, and of a mailbox for its admins."""
