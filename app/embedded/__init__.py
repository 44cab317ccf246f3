"""Postgres and Valkey for one machine, and the supervisor behind `pillarbox up`. Linux only."""
