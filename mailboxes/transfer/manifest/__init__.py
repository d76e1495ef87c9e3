"""`apply FILE`: bring the database to what a file says."""
