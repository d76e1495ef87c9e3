"""Mail systems brought in and out: one plan, one small reader per system, and the panel's services.

A reader (`sources/`) turns what a system holds into entries. The planner compares them with the
database and writes a plan, which is read and agreed to before anything else is written. Applying
it calls the same services as every form; so does taking it back.
"""
