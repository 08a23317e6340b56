"""Tables, queries, migrations and the event chain; the only room that speaks SQL."""
